//! The bootstrap: from a login on a host to an enrolled runner.
//!
//! Steps: connect, facts, sudo, key, install, host_keys, login, wrapper, job, enrol. Nothing is stored
//! before the last one; a failure undoes what was done on the host.

mod plan;
mod record;
mod undo;

use std::sync::Arc;

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::wire::api::{InstallRunner, StepEvent};
use shuntyard_domain::wrapper::install::{InstallPlan, Installed, install_script, parse_install};
use shuntyard_domain::wrapper::probe::{ProbedHost, Sudo, facts_script, parse_facts, parse_sudo, sudo_probe_script};
use shuntyard_domain::wrapper::{SYSTEM_USER, wrapper_version};
use tokio::sync::mpsc;
use tracing::info_span;
use zeroize::Zeroizing;

use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::test_runner::Examinee;
use super::{DispatchError, Dispatcher, new_id};
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_install, run_script};
use crate::ssh::{
    ConnectError, Credential, Dial, RunnerKey, Session, Target, fingerprint, generate_runner_key, load_private_key,
};
use plan::Checked;
use undo::Undone;

const AGAIN: &str = "run the same command again; if it stays, see the daemon's log at debug level";

impl Dispatcher {
    /// Bootstraps a host, or refreshes one that is enrolled. The operation goes on when the listener leaves.
    ///
    /// # Errors
    /// `BadName` and `BadRequest` for values that are refused before anything is done, `UnderWay` during another
    /// installation or removal of this name or at this address.
    pub fn install(
        &self,
        hostname: String,
        request: InstallRunner,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let checked = plan::check(hostname, request)?;
        let claims = [self.0.claims.claim(&checked.hostname)?, self.0.claims.claim(&checked.dial.at())?];
        let (steps, listener) = Steps::new();
        let span = info_span!("install", runner.name = %checked.hostname);
        let engine = self.clone();
        self.0.tasks.spawn(span, move |_| async move {
            let before = engine.0.inventory.by_name(&checked.hostname);
            Install { engine: &engine, steps: &steps, checked: &checked, before: before.as_ref() }.run().await;
            drop(claims);
        });
        Ok(listener)
    }
}

/// One bootstrap under way.
struct Install<'i> {
    engine: &'i Dispatcher,
    steps: &'i Steps,
    checked: &'i Checked,
    /// The record of an earlier bootstrap.
    before: Option<&'i Known>,
}

/// What is on the host now and must go again if a later step fails.
struct Placed {
    session: Session,
    rights: Rights,
    system_mode: bool,
    installed: Installed,
    key: NewKey,
    host: ProbedHost,
}

/// The key pair that was made for this runner.
struct NewKey {
    private: Zeroizing<String>,
    public_line: String,
    loaded: Arc<RunnerKey>,
}

/// A step that failed, and what was undone by then.
struct Failed {
    step: &'static str,
    failure: Failure,
    undone: Undone,
}

/// For steps that leave nothing to undo.
fn failed_at(step: &'static str) -> impl FnOnce(Failure) -> Failed {
    move |failure| Failed { step, failure, undone: Undone::default() }
}

impl Install<'_> {
    async fn run(self) {
        let placed = match self.place().await {
            Ok(Some(placed)) => placed,
            Ok(None) => return,
            Err(failed) => return self.tell_failed(failed),
        };
        match self.enrol(&placed).await {
            Ok(hostname) => {
                let left = self.drop_old_key(&placed).await;
                placed.session.close().await;
                self.steps.finished(self.engine.runner_body(&hostname).await.ok(), left);
            }
            Err((step, failure)) => {
                let undone = self.undo(&placed).await;
                placed.session.close().await;
                self.tell_failed(Failed { step, failure, undone });
            }
        }
    }

    fn tell_failed(&self, Failed { step, failure, undone }: Failed) {
        self.steps.failed(step, failure, undone.rolled_back, undone.left_behind);
    }

    /// Everything up to files on the host; `None` when the host key is to be confirmed first.
    async fn place(&self) -> Result<Option<Placed>, Failed> {
        self.refuse_when_busy().await.map_err(failed_at("connect"))?;
        let Some(session) = self.connect().await.map_err(failed_at("connect"))? else { return Ok(None) };
        let placed = self.place_over(&session).await;
        if placed.is_err() {
            session.close().await;
        }
        placed.map(Some)
    }

    async fn place_over(&self, session: &Session) -> Result<Placed, Failed> {
        let host = self.facts(session).await.map_err(failed_at("facts"))?;
        let (rights, system_mode) = self.rights(session).await.map_err(failed_at("sudo"))?;
        let key = self.make_key().map_err(failed_at("key"))?;
        let installed = match self.put(session, &rights, system_mode, &key).await {
            Ok(installed) => installed,
            Err(error) => {
                let undone = self.undo_partial(session, &rights, system_mode, &error, &key).await;
                return Err(Failed { step: "install", failure: script_failure(error), undone });
            }
        };
        Ok(Placed { session: session.clone(), rights, system_mode, installed, key, host })
    }

    /// Files and keys of a runner change under its jobs' feet; they must end first.
    async fn refuse_when_busy(&self) -> Result<(), Failure> {
        let Some(known) = self.before else { return Ok(()) };
        let running = self.engine.jobs_on(known.runner.id).await.map_err(|error| Failure::new(error, AGAIN))?;
        if running.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            format!("`{}` has {} running job(s)", self.checked.hostname, running.len()),
            "wait for them, or cancel them with `shunt cancel`",
        ))
    }

    async fn connect(&self) -> Result<Option<Session>, Failure> {
        let Checked { dial, .. } = self.checked;
        self.steps.began("connect", &format!("connecting to {} as {}", dial.at(), dial.user));
        match self.login().await {
            Ok(session) => {
                let shown = fingerprint(&session.host_key_line()).unwrap_or_default();
                self.steps.done("connect", format!("{} as {}, host key {shown}", dial.at(), dial.user));
                Ok(Some(session))
            }
            Err(ConnectError::HostKeyUnconfirmed { fingerprint, key_type, .. }) => {
                self.steps.tell(StepEvent::HostKeyUnconfirmed { fingerprint, key_type });
                Ok(None)
            }
            Err(error) => {
                let advice = plan::connect_advice(&error);
                Err(Failure::new(error, advice))
            }
        }
    }

    /// Logs in with what the admin gave.
    async fn login(&self) -> Result<Session, ConnectError> {
        let Checked { dial, credential, policy, .. } = self.checked;
        let (tasks, settings) = (&self.engine.0.tasks, self.engine.0.pool.settings());
        Session::connect_with(dial, credential, policy, tasks, settings).await
    }

    async fn facts(&self, session: &Session) -> Result<ProbedHost, Failure> {
        self.steps.began("facts", "asking the host what it is");
        let nonce = nonce().map_err(script_failure)?;
        let script = facts_script(&nonce);
        let host: ProbedHost =
            run_script(session, &Rights::Login, &script, &nonce, parse_facts).await.map_err(script_failure)?;
        let facts = facts_from(&host);
        self.steps.done(
            "facts",
            format!(
                "{} {} ({}), {}, {} cpus",
                facts.platform, facts.platform_version, facts.platform_family, facts.arch, facts.cpus
            ),
        );
        Ok(host)
    }

    /// Whose rights the install has, and whether jobs run as `job_runner`.
    async fn rights(&self, session: &Session) -> Result<(Rights, bool), Failure> {
        if self.checked.no_sudo {
            self.steps.done("sudo", format!("not asked for: jobs run as {}", self.checked.dial.user));
            return Ok((Rights::Login, false));
        }
        self.steps.began("sudo", "looking for root's rights");
        let nonce = nonce().map_err(script_failure)?;
        let script = sudo_probe_script(&nonce);
        let sudo = run_script(session, &Rights::Login, &script, &nonce, parse_sudo).await.map_err(script_failure)?;
        let no_sudo = "or use --no-sudo: jobs then run as the login user";
        let (rights, how) = match (sudo, &self.checked.credential) {
            (Sudo::Root, _) => (Rights::Login, "the login is root"),
            (Sudo::Passwordless, _) => (Rights::Sudo, "sudo without a password"),
            (Sudo::Password, Credential::Password(password)) => {
                (Rights::SudoPassword(password.clone()), "sudo with the password")
            }
            (Sudo::Password, Credential::Key(_)) => {
                return Err(Failure::new(
                    format!("sudo asks {} for a password", self.checked.dial.user),
                    format!("log in with --password, {no_sudo}"),
                ));
            }
            (Sudo::None, _) => {
                return Err(Failure::new(
                    format!("{} is not root and there is no sudo", self.checked.dial.user),
                    format!("log in as root or as a user with sudo, {no_sudo}"),
                ));
            }
        };
        self.steps.done("sudo", format!("{how}: jobs will run as {SYSTEM_USER}"));
        Ok((rights, true))
    }

    fn make_key(&self) -> Result<NewKey, Failure> {
        self.steps.began("key", "making a key pair for this runner");
        let (private, public_line) = generate_runner_key(&self.checked.hostname).map_err(|e| Failure::new(e, AGAIN))?;
        let loaded = load_private_key(&private, None).map_err(|e| Failure::new(e, AGAIN))?;
        self.steps.done("key", fingerprint(&public_line).unwrap_or_default());
        Ok(NewKey { private, public_line, loaded: Arc::new(loaded) })
    }

    async fn put(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        key: &NewKey,
    ) -> Result<Installed, ScriptError> {
        self.steps.began("install", "writing the key and the wrapper");
        let nonce = nonce()?;
        let plan = InstallPlan {
            nonce: &nonce,
            system_mode,
            wanted_base: None,
            public_key_line: &key.public_line,
            hostname: &self.checked.hostname,
            replace: false,
        };
        let installed = run_install(session, rights, &install_script(&plan)?, &nonce, parse_install).await?;
        self.steps.done("install", format!("{}, work in {}", installed.wrapper_path, installed.base_dir));
        Ok(installed)
    }

    /// From files on the host to a stored runner.
    async fn enrol(&self, placed: &Placed) -> Result<String, (&'static str, Failure)> {
        self.steps.began("host_keys", "reading every host key");
        let host_keys = placed.session.announced_host_keys().await;
        let shown: Vec<String> = host_keys.iter().filter_map(|line| fingerprint(line)).collect();
        self.steps.done("host_keys", format!("{} pinned: {}", shown.len(), shown.join(", ")));

        let id = self.before.map_or_else(|| RunnerId(new_id()), |known| known.runner.id);
        let user = if placed.system_mode { SYSTEM_USER.to_owned() } else { self.checked.dial.user.clone() };
        let dial = Dial { user, ..self.checked.dial.clone() };
        let target = Target { runner: id, dial, host_keys, key: placed.key.loaded.clone() };
        // A warm connection of the earlier record would hide that the new key does not work.
        self.engine.0.pool.forget(id);
        let version = wrapper_version();
        let examinee = Examinee {
            target: target.clone(),
            wrapper_path: &placed.installed.wrapper_path,
            wrapper_version: &version,
        };
        let passed = self.engine.examine(&examinee, self.steps).await;
        if passed.is_err() {
            self.engine.0.pool.forget(id);
        }
        let report = passed?;
        self.steps.began("enrol", "storing the runner");
        let runner = self.record(id, &target, placed, report);
        self.store(&runner, placed).await.map_err(|failure| ("enrol", failure))?;
        self.engine.keep(runner.clone(), placed.key.loaded.clone());
        self.steps.done("enrol", format!("{} takes jobs", runner.hostname));
        Ok(runner.hostname)
    }
}

fn script_failure(error: ScriptError) -> Failure {
    Failure::new(error, AGAIN)
}
