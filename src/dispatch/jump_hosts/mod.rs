//! Jump hosts: their records, and the one connection to each that carries those of the runners behind it.
//!
//! A change of a jump host, a quarantine say, makes its link anew, and those of the jump hosts behind it: what was
//! carried ends, and the runners' keepers connect again by the new one.

mod check;
mod install;
mod records;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use shuntyard_domain::jump_host::{JumpHost, chain};
use shuntyard_domain::runner::StateNote;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::via::Via;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::inventory::Known;
use super::{DispatchError, Dispatcher};
use crate::ssh::{
    CarriedStream, Carrier, ConnectError, Dial, Jump, JumpLogin, JumpStatus, Route, RunnerKey, Target, load_private_key,
};
use records::not_there;
pub(super) use records::{check_via, via_of};

use crate::store::{StoreError, jump_host_find, jump_host_list, jump_host_update};

/// Every jump host, by name.
#[derive(Default)]
pub(super) struct JumpHosts {
    known: Mutex<BTreeMap<Name, KnownJump>>,
}

/// One jump host as the engine knows it.
#[derive(Clone)]
struct KnownJump {
    host: Arc<JumpHost>,
    key: Arc<RunnerKey>,
    link: Link,
}

/// The connection to a jump host, and the end of the task that looks after it.
#[derive(Clone)]
struct Link {
    jump: Arc<Jump>,
    stop: CancellationToken,
}

impl JumpHosts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, KnownJump>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &Name) -> Option<KnownJump> {
        self.lock().get(name).cloned()
    }

    /// The names of those that are reached through `name`, itself included, the nearest to us first.
    fn behind(known: &BTreeMap<Name, KnownJump>, name: &Name) -> Vec<Name> {
        let before = known.iter().map(|(name, known)| (name, known.host.endpoint.via.jump())).collect();
        let chains = known.keys().filter_map(|last| chain(last, &before).ok());
        let mut behind: Vec<Vec<&Name>> = chains.filter(|chain| chain.contains(&name)).collect();
        behind.sort_by_key(Vec::len);
        behind.into_iter().filter_map(|chain| chain.last().map(|last| (*last).clone())).collect()
    }

    /// The names of the jump hosts that lead to `name`, which is the last; only that one when they lead nowhere.
    fn leading_to(&self, name: &Name) -> Vec<Name> {
        let known = self.lock();
        let before = known.iter().map(|(name, known)| (name, known.host.endpoint.via.jump())).collect();
        chain(name, &before).map_or_else(|_| vec![name.clone()], |chain| chain.into_iter().cloned().collect())
    }
}

/// Stands for a way that the inventory does not have.
struct NoWay;

impl Carrier for NoWay {
    fn name(&self) -> String {
        "a way that is not there".to_owned()
    }

    fn open<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<CarriedStream, ConnectError>> {
        let (carrier, why) = ("its jump host".to_owned(), "is not in the inventory");
        Box::pin(std::future::ready(Err(ConnectError::CarrierClosed { carrier, why })))
    }
}

/// The same every time: a route is compared by what carries it.
fn no_way() -> Route {
    static NO_WAY: LazyLock<Arc<NoWay>> = LazyLock::new(|| Arc::new(NoWay));
    Route::Carried(NO_WAY.clone())
}

impl Dispatcher {
    /// How the pool reaches a runner.
    pub(super) fn target(&self, known: &Known) -> Target {
        let endpoint = &known.runner.endpoint;
        let (address, user) = (endpoint.address.clone(), endpoint.user.clone());
        let route = self.route_to(known.runner.id, &known.runner.hostname, &endpoint.via);
        Target {
            runner: known.runner.id,
            dial: Dial { address, port: endpoint.port, user, route },
            host_keys: endpoint.host_keys.clone(),
            key: known.key.clone(),
        }
    }

    /// The way through a jump host that is there.
    pub(super) fn jump_way(&self, name: &Name) -> Result<Via, DispatchError> {
        match self.0.jump_hosts.get(name) {
            Some(_) => Ok(Via::Jump(name.clone())),
            None => Err(not_there(name)),
        }
    }

    /// What carries connections by that way.
    pub(super) fn route(&self, via: &Via) -> Route {
        match via {
            Via::Direct => Route::Direct,
            Via::Jump(name) => match self.0.jump_hosts.get(name) {
                Some(known) => Route::Carried(known.link.jump),
                None => no_way(),
            },
            Via::DialOut => no_way(),
        }
    }

    /// Loads every jump host; nothing is connected.
    pub(super) async fn load_jump_hosts(&self) -> Result<(), DispatchError> {
        for (host, sealed) in self.0.store.read(jump_host_list).await? {
            let opened = self.0.sealer.open(&key_context(&host), &sealed)?;
            let key = Arc::new(load_private_key(&String::from_utf8_lossy(&opened), None)?);
            self.keep_jump_host(host, key);
        }
        Ok(())
    }

    /// Takes over a record; makes its link anew, and those of the jump hosts behind it.
    fn keep_jump_host(&self, host: JumpHost, key: Arc<RunnerKey>) {
        let name = host.name.clone();
        let affected = {
            let mut known = self.0.jump_hosts.lock();
            // In its place until those before it are there, too.
            let link = self.link(&host, &key, no_way(), 0);
            if let Some(old) = known.insert(name.clone(), KnownJump { host: host.into(), key, link }) {
                old.link.end();
            }
            let affected = JumpHosts::behind(&known, &name);
            for name in &affected {
                self.make_link(&mut known, name);
            }
            affected
        };
        affected.iter().for_each(|name| self.attend_link(name));
        self.wake_runners_behind(&affected);
    }

    /// Makes the link of a jump host whose way is known.
    fn make_link(&self, known: &mut BTreeMap<Name, KnownJump>, name: &Name) {
        let Some(KnownJump { host, key, link: old }) = known.get(name).cloned() else { return };
        let before: BTreeMap<_, _> = known.iter().map(|(name, known)| (name, known.host.endpoint.via.jump())).collect();
        let hops_before = chain(name, &before).map_or(0, |chain| chain.len() - 1);
        let carried =
            |name: &Name| known.get(name).map_or_else(no_way, |before| Route::Carried(before.link.jump.clone()));
        let route = host.endpoint.via.jump().map_or(Route::Direct, carried);
        old.end();
        let link = self.link(&host, &key, route, hops_before);
        known.insert(name.clone(), KnownJump { host, key, link });
    }

    fn link(&self, host: &JumpHost, key: &Arc<RunnerKey>, route: Route, hops_before: usize) -> Link {
        let endpoint = &host.endpoint;
        let (address, user) = (endpoint.address.clone(), endpoint.user.clone());
        let jump = self.0.pool.jump_host(JumpLogin {
            name: host.name.to_string(),
            dial: Dial { address, port: endpoint.port, user, route },
            host_keys: endpoint.host_keys.clone(),
            key: Arc::clone(key),
            hops_before,
        });
        if host.quarantine.is_some() {
            jump.bar("is quarantined: it shows an unknown host key");
        } else if endpoint.host_keys.is_empty() {
            jump.bar("has no confirmed host key; `shunt ctl jump-host test` shows it");
        }
        Link { jump: Arc::new(jump), stop: self.0.tasks.stop_signal().child_token() }
    }

    /// Quarantines a jump host that shows a key that is not pinned.
    fn attend_link(&self, name: &Name) {
        let Some(KnownJump { link, .. }) = self.0.jump_hosts.get(name) else { return };
        let (engine, name) = (self.clone(), name.clone());
        let span = info_span!("jump_host", jump_host.name = %name);
        self.0.tasks.spawn(span, move |_| async move {
            let mismatch = tokio::select! {
                () = link.stop.cancelled() => None,
                mismatch = shows_another_key(&link.jump) => mismatch,
            };
            if let Some(why) = mismatch {
                tracing::error!(why, "the jump host shows a key that is not pinned; quarantined");
                engine.quarantine_jump_host(&name, &link, why).await;
            }
        });
    }

    async fn quarantine_jump_host(&self, name: &Name, link: &Link, why: String) {
        let now_ms = self.0.clock.now_ms();
        let note = StateNote { at_ms: now_ms, by: "the dispatcher".into(), reason: Some(why) };
        let change = move |host: &mut JumpHost| host.quarantine = Some(note);
        if let Err(error) = self.change_jump_host(name, change).await {
            tracing::error!(%error, "the quarantine could not be stored; it holds until the next start");
            link.jump.bar("is quarantined: it shows an unknown host key");
        }
    }

    /// Changes a record in the store and then in memory.
    async fn change_jump_host(
        &self,
        name: &Name,
        change: impl FnOnce(&mut JumpHost) + Send + 'static,
    ) -> Result<(), DispatchError> {
        let known = self.known_jump_host(name)?;
        let (engine, name, now_ms) = (self.clone(), name.clone(), self.0.clock.now_ms());
        self.to_the_end(async move {
            let stored = engine.0.store.write(move |c| {
                let Some(mut host) = jump_host_find(c, &name)? else { return Ok(None) };
                change(&mut host);
                host.updated_at_ms = now_ms;
                jump_host_update(c, &host).map(Some)
            });
            let stored: Result<Option<JumpHost>, StoreError> = stored.await;
            let stored = stored?.ok_or_else(|| DispatchError::NoJumpHost(known.host.name.to_string()))?;
            engine.keep_jump_host(stored, known.key);
            Ok(())
        })
        .await
    }

    fn known_jump_host(&self, name: &Name) -> Result<KnownJump, DispatchError> {
        self.0.jump_hosts.get(name).ok_or_else(|| DispatchError::NoJumpHost(name.to_string()))
    }

    /// Keepers that wait because of a jump host try again now.
    fn wake_runners_behind(&self, names: &[Name]) {
        for known in self.0.inventory.all() {
            if known.runner.endpoint.via.jump().is_some_and(|name| names.contains(name)) {
                self.update_runner(known.runner.id, |_| ());
            }
        }
    }
}

impl Link {
    fn end(&self) {
        self.stop.cancel();
        self.jump.retire();
    }
}

/// Resolves when the jump host shows a key that is not pinned, with the sentence about it.
async fn shows_another_key(jump: &Jump) -> Option<String> {
    let mut status = jump.status();
    let failed = |status: &JumpStatus| matches!(status, JumpStatus::Failed(ConnectError::HostKeyMismatch { .. }));
    match status.wait_for(failed).await {
        Ok(status) => match &*status {
            JumpStatus::Failed(error) => Some(error.to_string()),
            JumpStatus::Idle | JumpStatus::Connecting | JumpStatus::Connected => None,
        },
        Err(_) => None,
    }
}

/// The associated data under which a jump host's private key is sealed.
fn key_context(host: &JumpHost) -> String {
    key_context_of(&host.id.to_string())
}

/// The same, by the text of its id.
pub(super) fn key_context_of(id: &str) -> String {
    format!("jump_host:{id}:private_key")
}
