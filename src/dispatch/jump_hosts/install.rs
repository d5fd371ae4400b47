//! The bootstrap of a jump host: a person's login puts our key there, and our key is tested before anything is stored.
//!
//! Steps: credential (only when it fails), hop, connect, key, install, login, forward, enrol. A failure takes the key away again.

use shuntyard_domain::jump_host::JumpHost;
use shuntyard_domain::runner::Endpoint;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wire::jump_host::InstallJumpHost;
use shuntyard_domain::wrapper::{
    JumpKeyAnswer, SYSTEM_HOME, drop_key_script, jump_key_script, parse_jump_key, parse_uninstall,
};
use tokio::sync::mpsc;
use tracing::info_span;

use super::check::Failed;
use super::records::{NewJumpHost, check_chain, check_endpoint, insert};
use crate::dispatch::install::{CREDENTIAL_ADVICE, connect_advice, credential_of, policy_of};
use crate::dispatch::steps::{Failure, Steps};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_script};
use crate::ssh::{ConnectError, Credential, HostKeyPolicy, Session, fingerprint};
use crate::store::{Connection, MadeKind, RequestKey, jump_host_find, jump_host_replace_key, jump_host_update};

const AGAIN: &str = "run the same command again; if it stays, see the daemon's log at debug level";

/// A request whose every value may be used.
struct Wanted {
    new: NewJumpHost,
    credential: Credential,
    policy: HostKeyPolicy,
    /// Public half of the key of an earlier bootstrap.
    earlier_key: Option<String>,
}

/// What went wrong, and what of it could not be undone.
struct Undone {
    failed: Failed,
    rolled_back: Vec<String>,
    left_behind: Vec<String>,
}

impl From<Failed> for Undone {
    fn from(failed: Failed) -> Self {
        Self { failed, rolled_back: Vec::new(), left_behind: Vec::new() }
    }
}

impl Dispatcher {
    /// Bootstraps a jump host, or gives one that is there a new key and place.
    ///
    /// # Errors
    /// `BadName` and `BadRequest` for values that are refused before anything is done, `UnderWay` during another one.
    pub async fn install_jump_host(
        &self,
        name: Name,
        request: InstallJumpHost,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let (steps, listener) = Steps::new();
        let wanted = match self.wanted(&name, request) {
            Err(DispatchError::Key(error)) => {
                steps.failed("credential", Failure::new(error, CREDENTIAL_ADVICE), Vec::new(), Vec::new());
                return Ok(listener);
            }
            wanted => wanted?,
        };
        let host = wanted.new.host.clone();
        self.0.store.read(move |c| check_chain(c, &host)).await?;
        let claim = self.0.claims.claim(&format!("jump host {name}"))?;
        let engine = self.clone();
        self.0.tasks.spawn(info_span!("install", jump_host.name = %name), move |_| {
            RequestKey::carried(async move {
                match engine.bootstrap_jump_host(&wanted, &steps).await {
                    Ok(Some(left_behind)) => steps.finished(None, left_behind),
                    // The key that it shows was told.
                    Ok(None) => (),
                    Err(Undone { failed: (step, failure), rolled_back, left_behind }) => {
                        steps.failed(step, failure, rolled_back, left_behind);
                    }
                }
                drop(claim);
            })
        });
        Ok(listener)
    }

    fn wanted(&self, name: &Name, request: InstallJumpHost) -> Result<Wanted, DispatchError> {
        let endpoint = Endpoint {
            address: request.address.unwrap_or_else(|| name.to_string()),
            port: request.port,
            user: request.user,
            host_keys: Vec::new(),
            via: request.jump.into(),
        };
        check_endpoint(&endpoint)?;
        let policy = policy_of(request.host_key)?;
        let credential = credential_of(request.password, request.private_key, request.passphrase)?;
        let earlier = self.0.jump_hosts.get(name);
        let earlier = earlier.map(|known| known.host);
        let new = self.new_jump_host(name.clone(), endpoint, earlier.as_deref())?;
        let earlier_key = earlier.map(|host| host.openssh_public_key.clone());
        Ok(Wanted { new, credential, policy, earlier_key })
    }

    async fn bootstrap_jump_host(&self, wanted: &Wanted, steps: &Steps) -> Result<Option<Vec<String>>, Undone> {
        let Wanted { new, credential, policy, earlier_key } = wanted;
        let host = &new.host;
        self.warm_hops_before(host, steps).await?;
        let dial = self.jump_dial(host);
        steps.began("connect", &format!("connecting to {} as {}", dial.at(), dial.user));
        let (tasks, settings) = (&self.0.tasks, self.0.pool.settings());
        let session = match Session::connect_with(&dial, credential, policy, tasks, settings).await {
            Ok(session) => session,
            Err(ConnectError::HostKeyUnconfirmed { fingerprint, key_type, .. }) => {
                steps.tell(StepEvent::HostKeyUnconfirmed { fingerprint, key_type });
                return Ok(None);
            }
            Err(error) => return Err(("connect", Failure::new(&error, connect_advice(&error))).into()),
        };
        let shown = fingerprint(&session.host_key_line()).unwrap_or_default();
        steps.done("connect", format!("{} as {}, host key {shown}", dial.at(), dial.user));
        let done = match self.put_jump_key(&session, wanted, steps).await {
            Ok(()) => self.test_and_store_jump_host(&session, wanted, steps).await,
            Err(failed) => Err(failed),
        };
        let ended = match (done, earlier_key) {
            (Ok(()), Some(earlier)) => Ok(Some(drop_key(&session, earlier).await.1)),
            (Ok(()), None) => Ok(Some(Vec::new())),
            (Err(failed), _) => {
                let (rolled_back, left_behind) = drop_key(&session, &host.openssh_public_key).await;
                Err(Undone { failed, rolled_back, left_behind })
            }
        };
        session.close().await;
        ended
    }

    async fn put_jump_key(&self, session: &Session, wanted: &Wanted, steps: &Steps) -> Result<(), Failed> {
        let host = &wanted.new.host;
        steps.began("install", "writing a key that may forward connections and nothing else");
        let failed = |error: ScriptError| ("install", Failure::new(error, AGAIN));
        let nonce = nonce().map_err(failed)?;
        let script = jump_key_script(&nonce, &host.name, &host.openssh_public_key).map_err(|e| failed(e.into()))?;
        match run_script(session, &Rights::Login, &script, &nonce, parse_jump_key).await.map_err(failed)? {
            JumpKeyAnswer::Written(file) => steps.done("install", file),
            JumpKeyAnswer::Refused(why) => {
                let advice = "see that the login user can write its ~/.ssh/authorized_keys, or have an admin put a key \
                              there: `shunt ctl jump-host install --print-key`";
                return Err(("install", Failure::new(why, advice)));
            }
        }
        Ok(())
    }

    /// The keys that its sshd announced to the person's login are those that our key must find.
    async fn test_and_store_jump_host(&self, session: &Session, wanted: &Wanted, steps: &Steps) -> Result<(), Failed> {
        let mut host = wanted.new.host.clone();
        host.endpoint.host_keys = session.announced_host_keys().await;
        let policy = HostKeyPolicy::Pinned(host.endpoint.host_keys.clone());
        let key = wanted.new.key.clone();
        self.examine_jump_host(&host, &key, &policy, steps).await?;
        steps.began("enrol", "storing the jump host");
        let pinned: Vec<String> = host.endpoint.host_keys.iter().filter_map(|line| fingerprint(line)).collect();
        let sealed = wanted.new.sealed.clone();
        let made = (MadeKind::InstalledJumpHost, host.name.clone());
        let stored = self.0.store.create(made.0, made.1, move |c| store(c, host, &sealed)).await;
        let stored = stored.map_err(|error| ("enrol", Failure::new(error, AGAIN)))?;
        self.keep_jump_host(stored, key);
        steps.done("enrol", format!("{} host keys pinned: {}", pinned.len(), pinned.join(", ")));
        Ok(())
    }
}

fn store(c: &mut Connection, mut host: JumpHost, sealed: &[u8]) -> Result<JumpHost, DispatchError> {
    let Some(current) = jump_host_find(c, &host.name)? else {
        insert(c, &host, sealed)?;
        return Ok(host);
    };
    if current.id != host.id {
        // Somebody has made another one of this name meanwhile; the key is sealed for this one.
        return Err(DispatchError::Taken { what: "jump host", key: host.name.to_string() });
    }
    check_chain(c, &host)?;
    host.version = current.version;
    let host = jump_host_update(c, &host)?;
    jump_host_replace_key(c, &host.name, sealed)?;
    Ok(host)
}

/// Takes a key away again: what went, and what is left.
async fn drop_key(session: &Session, public_key_line: &str) -> (Vec<String>, Vec<String>) {
    let dropped: Result<_, ScriptError> = async {
        let nonce = nonce()?;
        let script = drop_key_script(&nonce, false, SYSTEM_HOME, public_key_line)?;
        run_script(session, &Rights::Login, &script, &nonce, parse_uninstall).await
    }
    .await;
    match dropped {
        Ok(answer) => (answer.removed, answer.left),
        Err(error) => (Vec::new(), vec![format!("perhaps a key of ours in ~/.ssh/authorized_keys: {error}")]),
    }
}
