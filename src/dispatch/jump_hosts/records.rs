//! Records of jump hosts: made, shown, changed, deleted.

use std::sync::Arc;

use shuntyard_domain::ids::JumpHostId;
use shuntyard_domain::jump_host::{BadChain, JumpHost, chain};
use shuntyard_domain::runner::{Endpoint, check_hostname, check_user};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::jump_host::{CreateJumpHost, JumpContactBody, JumpHostBody, PatchJumpHost};
use shuntyard_domain::wrapper::jump_key_comment;

use super::{KnownJump, key_context};
use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::ssh::{JumpStatus, RunnerKey, fingerprint, generate_key, load_private_key};
use crate::store::{
    Connection, MadeKind, StoreError, jump_host_delete, jump_host_find, jump_host_insert, jump_host_list,
    jump_host_update, runner_list,
};

/// A record with the key pair that was made for it.
pub(super) struct NewJumpHost {
    pub host: JumpHost,
    pub key: Arc<RunnerKey>,
    pub sealed: Vec<u8>,
}

impl Dispatcher {
    /// Every jump host, by name.
    #[must_use]
    pub fn jump_host_bodies(&self) -> Vec<JumpHostBody> {
        let all: Vec<KnownJump> = self.0.jump_hosts.lock().values().cloned().collect();
        all.iter().map(|known| self.body(known)).collect()
    }

    /// # Errors
    /// `NoJumpHost` for an unknown name.
    pub fn jump_host_body(&self, name: &Name) -> Result<JumpHostBody, DispatchError> {
        Ok(self.body(&self.known_jump_host(name)?))
    }

    fn body(&self, known: &KnownJump) -> JumpHostBody {
        let jump = &known.link.jump;
        let (status, reason) = match &*jump.status().borrow() {
            JumpStatus::Idle => ("idle", None),
            JumpStatus::Connecting => ("connecting", None),
            JumpStatus::Connected => ("connected", None),
            JumpStatus::Failed(error) => ("unreachable", Some(error.to_string())),
        };
        let contact = JumpContactBody { status: status.to_owned(), reason, carried: jump.carried_now() };
        let host_keys = known.host.endpoint.host_keys.iter().filter_map(|line| fingerprint(line)).collect();
        JumpHostBody::of(&known.host, contact, host_keys, self.used_by(&known.host.name))
    }

    /// What is reached through a jump host directly behind it.
    pub(super) fn used_by(&self, name: &Name) -> Vec<String> {
        let behind = |via: &Via| via.jump() == Some(name);
        let hosts = self.0.jump_hosts.lock();
        let hosts = hosts.values().filter(|known| behind(&known.host.endpoint.via));
        let hosts: Vec<String> = hosts.map(|known| format!("jump host {}", known.host.name)).collect();
        let runners = self.0.inventory.all().into_iter().filter(|known| behind(&known.runner.endpoint.via));
        hosts.into_iter().chain(runners.map(|known| format!("runner {}", known.runner.hostname))).collect()
    }

    /// Makes a record and a key pair, whose public half a person puts where the jump host looks for it. No host key is
    /// pinned: nothing goes through it before one was confirmed.
    ///
    /// # Errors
    /// `BadName` and `BadRequest` for values outside of the rules, `Taken` for a name that is there already.
    pub async fn create_jump_host(&self, wanted: CreateJumpHost) -> Result<JumpHostBody, DispatchError> {
        let CreateJumpHost { name, address, port, user, jump } = wanted;
        let endpoint = Endpoint {
            address: address.unwrap_or_else(|| name.to_string()),
            port,
            user,
            host_keys: Vec::new(),
            via: jump.into(),
        };
        check_endpoint(&endpoint)?;
        let new = self.new_jump_host(name.clone(), endpoint, None)?;
        let engine = self.clone();
        self.to_the_end(async move {
            let (host, sealed) = (new.host.clone(), new.sealed);
            let stored: Result<(), DispatchError> =
                engine.0.store.create(MadeKind::JumpHost, host.name.clone(), move |c| insert(c, &host, &sealed)).await;
            match stored {
                Err(DispatchError::Store(StoreError::Conflict { what, key })) => {
                    Err(DispatchError::Taken { what, key })
                }
                stored => {
                    stored?;
                    engine.keep_jump_host(new.host, new.key);
                    Ok(())
                }
            }
        })
        .await?;
        self.jump_host_body(&name)
    }

    /// A record that is not stored yet, with a new key pair; it takes the place of `earlier`.
    pub(super) fn new_jump_host(
        &self,
        name: Name,
        endpoint: Endpoint,
        earlier: Option<&JumpHost>,
    ) -> Result<NewJumpHost, DispatchError> {
        let (private, openssh_public_key) = generate_key(&jump_key_comment(&name))?;
        let key = Arc::new(load_private_key(&private, None)?);
        let now_ms = self.0.clock.now_ms();
        let host = JumpHost {
            id: earlier.map_or_else(|| JumpHostId(new_id()), |earlier| earlier.id),
            name,
            endpoint,
            openssh_public_key,
            quarantine: None,
            created_at_ms: earlier.map_or(now_ms, |earlier| earlier.created_at_ms),
            updated_at_ms: now_ms,
            version: 1,
        };
        let sealed = self.0.sealer.seal(&key_context(&host), private.as_bytes())?;
        Ok(NewJumpHost { host, key, sealed })
    }

    /// Changes where a jump host is. Another address or port is another host: its keys are to be confirmed again.
    ///
    /// # Errors
    /// As `create_jump_host`, and `NoJumpHost`.
    pub async fn patch_jump_host(&self, name: &Name, patch: PatchJumpHost) -> Result<(), DispatchError> {
        let known = self.known_jump_host(name)?;
        let via = patch.jump.as_deref().map(via_of).transpose()?;
        let (engine, now_ms, name) = (self.clone(), self.0.clock.now_ms(), name.clone());
        self.to_the_end(async move {
            let stored = engine.0.store.write(move |c| {
                let before = jump_host_find(c, &name)?.ok_or_else(|| DispatchError::NoJumpHost(name.to_string()))?;
                let mut host = before.clone();
                let endpoint = &mut host.endpoint;
                endpoint.address = patch.address.unwrap_or_else(|| endpoint.address.clone());
                endpoint.port = patch.port.unwrap_or(endpoint.port);
                endpoint.user = patch.user.unwrap_or_else(|| endpoint.user.clone());
                endpoint.via = via.unwrap_or_else(|| endpoint.via.clone());
                check_endpoint(endpoint)?;
                if (&endpoint.address, endpoint.port) != (&before.endpoint.address, before.endpoint.port) {
                    endpoint.host_keys.clear();
                    host.quarantine = None;
                }
                if host == before {
                    return Ok(None);
                }
                check_chain(c, &host)?;
                host.updated_at_ms = now_ms;
                Ok::<_, DispatchError>(Some(jump_host_update(c, &host)?))
            });
            if let Some(stored) = stored.await? {
                engine.keep_jump_host(stored, known.key);
            }
            Ok(())
        })
        .await
    }

    /// Removes a jump host; its key line stays on the host and opens nothing any more.
    ///
    /// # Errors
    /// `NoJumpHost`; `JumpHostUsed` while something is reached through it.
    pub async fn delete_jump_host(&self, name: &Name) -> Result<(), DispatchError> {
        self.known_jump_host(name)?;
        let (engine, name) = (self.clone(), name.clone());
        self.to_the_end(async move {
            let gone = name.clone();
            engine.0.store.write(move |c| delete(c, &gone)).await?;
            let removed = engine.0.jump_hosts.lock().remove(&name);
            if let Some(known) = removed {
                known.link.end();
            }
            Ok(())
        })
        .await
    }
}

fn delete(c: &mut Connection, name: &Name) -> Result<(), DispatchError> {
    let behind = |via: &Via| via.jump() == Some(name);
    let hosts = jump_host_list(c)?.into_iter().filter(|(host, _)| behind(&host.endpoint.via));
    let mut by: Vec<String> = hosts.map(|(host, _)| format!("jump host {}", host.name)).collect();
    let runners = runner_list(c)?.into_iter().filter(|runner| behind(&runner.endpoint.via));
    by.extend(runners.map(|runner| format!("runner {}", runner.hostname)));
    if !by.is_empty() {
        return Err(DispatchError::JumpHostUsed { name: name.to_string(), by });
    }
    jump_host_delete(c, name)?;
    Ok(())
}

/// Stores a new record behind jump hosts that are there.
pub(super) fn insert(c: &mut Connection, host: &JumpHost, sealed: &[u8]) -> Result<(), DispatchError> {
    check_chain(c, host)?;
    Ok(jump_host_insert(c, host, sealed)?)
}

/// Refuses a record that would make a circle, a gap or too long a chain, also of those behind it.
pub(super) fn check_chain(c: &mut Connection, host: &JumpHost) -> Result<(), DispatchError> {
    let mut all: Vec<JumpHost> = jump_host_list(c)?.into_iter().map(|(host, _)| host).collect();
    all.retain(|other| other.name != host.name);
    all.push(host.clone());
    let before = all.iter().map(|host| (&host.name, host.endpoint.via.jump())).collect();
    let checked = all.iter().try_for_each(|last| chain(&last.name, &before).map(drop));
    checked.map_err(|wrong: BadChain| bad("jump", wrong.to_string(), &["another jump host, or none"]))
}

pub(super) fn check_endpoint(endpoint: &Endpoint) -> Result<(), DispatchError> {
    check_hostname(&endpoint.address)?;
    check_user(&endpoint.user)?;
    if endpoint.port == 0 {
        return Err(bad("port", "0 is not a port", &["1 to 65535"]));
    }
    Ok(())
}

/// The way that a text of a request names: a jump host, or with `""` none.
pub(in crate::dispatch) fn via_of(text: &str) -> Result<Via, DispatchError> {
    if text.is_empty() {
        return Ok(Via::Direct);
    }
    let name: Result<Name, _> = text.parse();
    name.map(Via::Jump).map_err(|wrong| bad("jump", wrong.to_string(), &[wrong.allowed, "\"\" for none"]))
}

/// Refuses a way through a jump host that is not there.
pub(in crate::dispatch) fn check_via(c: &mut Connection, via: &Via) -> Result<(), DispatchError> {
    let Some(name) = via.jump() else { return Ok(()) };
    if jump_host_find(c, name)?.is_some() {
        return Ok(());
    }
    Err(not_there(name))
}

pub(super) fn not_there(name: &Name) -> DispatchError {
    let allowed = &["a jump host of `GET jump-hosts`; `shunt ctl jump-host install` makes one"];
    bad("jump", format!("there is no jump host `{name}`"), allowed)
}
