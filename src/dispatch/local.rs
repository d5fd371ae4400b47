//! The dispatcher's own machine as a runner.
//!
//! The composition root runs an embedded SSH host and tells here where it listens. To everybody else it is a runner like
//! any other: same bootstrap, same wrapper, same Test. Its record is marked; the configuration turns it on and off, never
//! a person by hand. Turned off it stays as `disabled`: what people have set on it is there when it is turned on again.

use std::sync::Arc;

use shuntyard_domain::runner::{Endpoint, Runner, RunnerState, StateNote};
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::StepEvent;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::install::Checked;
use super::inventory::Known;
use super::runner_patch::difference;
use super::{DispatchError, Dispatcher};
use crate::ssh::{Credential, Dial, HostKeyPolicy, fingerprint};
use crate::store::{
    Connection, RunnerChanged, RunnerEvent, StoreError, runner_event_insert, runner_find, runner_list, runner_update,
};

const ADDRESS: &str = "127.0.0.1";
const BY: &str = "the dispatcher";
const TURNED_OFF: &str = "the local runner is turned off in the dispatcher's configuration ([local] enabled, --local)";

/// How to turn it off, for those who try to remove it.
const TURN_OFF: &str =
    "it is turned off in the dispatcher's configuration ([local] enabled = false, or no --local) and a restart";
const TURN_ON: &str =
    "it is turned on in the dispatcher's configuration ([local] enabled = true, or --local) and a restart";

/// What the configuration says of the local runner, and the host that runs for it.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// `None`: it is turned off.
    pub wanted: Option<LocalRunner>,
    /// Runs while the runner is on, and without that while earlier jobs of it are to be followed to their end.
    pub host: Option<LocalHost>,
}

/// The runner as it is configured.
#[derive(Clone, Debug)]
pub struct LocalRunner {
    pub hostname: String,
    pub slots: u32,
}

/// Where the embedded host listens on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct LocalHost {
    pub port: u16,
    pub user: String,
    /// `ALGORITHM BASE64`
    pub host_key: String,
}

/// The stored record of the local runner.
///
/// # Errors
/// `StoreError` when the runners cannot be read.
pub fn local_runner(c: &mut Connection) -> Result<Option<Runner>, StoreError> {
    Ok(runner_list(c)?.into_iter().find(|runner| runner.installation.local))
}

/// Makes the stored record what configuration and host say, before anybody uses it.
///
/// # Errors
/// `LocalNameTaken` when a runner that was installed by hand has the name.
pub(super) async fn settle(engine: &Dispatcher) -> Result<(), DispatchError> {
    let (local, now_ms) = (engine.0.local.clone(), engine.0.clock.now_ms());
    engine
        .0
        .store
        .write(move |c| {
            if let Some(wanted) = &local.wanted
                && runner_find(c, &wanted.hostname)?.is_some_and(|named| !named.installation.local)
            {
                return Err(DispatchError::LocalNameTaken(wanted.hostname.clone()));
            }
            let Some(before) = local_runner(c)? else { return Ok(()) };
            let after = settled(before.clone(), &local, now_ms);
            if after == before {
                return Ok(());
            }
            let changes = difference(&before, &after);
            let after = runner_update(c, &after)?;
            if !changes.is_empty() {
                let reason = after.state_note.as_ref().and_then(|note| note.reason.clone());
                let event = RunnerEvent::Changed(RunnerChanged { by: BY.into(), reason, changes });
                runner_event_insert(c, &after, now_ms, &event)?;
            }
            Ok(())
        })
        .await
}

fn settled(mut runner: Runner, local: &Local, now_ms: i64) -> Runner {
    if let Some(host) = &local.host {
        let (port, user) = (host.port, host.user.clone());
        runner.endpoint = Endpoint { port, user, host_keys: vec![host.host_key.clone()], ..runner.endpoint };
    }
    let note = |reason: &str| Some(StateNote { at_ms: now_ms, by: BY.into(), reason: Some(reason.into()) });
    match &local.wanted {
        Some(wanted) => {
            runner.hostname.clone_from(&wanted.hostname);
            runner.slots = wanted.slots;
            if was_turned_off(&runner) || runner.state == RunnerState::Quarantined {
                (runner.state, runner.state_note) =
                    (RunnerState::Enrolled, note("the local runner is turned on again"));
            }
        }
        // What a person has disabled stays theirs.
        None if runner.state == RunnerState::Disabled => (),
        None => (runner.state, runner.state_note) = (RunnerState::Disabled, note(TURNED_OFF)),
    }
    runner
}

fn was_turned_off(runner: &Runner) -> bool {
    let ours = |note: &StateNote| note.by == BY && note.reason.as_deref() == Some(TURNED_OFF);
    runner.state == RunnerState::Disabled && runner.state_note.as_ref().is_some_and(ours)
}

impl Dispatcher {
    /// The record of the local runner, when there is one.
    #[must_use]
    pub fn local_runner(&self) -> Option<Arc<Runner>> {
        self.0.inventory.all().into_iter().map(|known| known.runner).find(|runner| runner.installation.local)
    }

    /// Bootstraps the embedded host, or refreshes it, as any host with a password; `None` when it is not turned on.
    ///
    /// # Errors
    /// `UnderWay` during another installation of this name or at this address.
    pub fn install_local(
        &self,
        password: Zeroizing<String>,
    ) -> Result<Option<mpsc::UnboundedReceiver<StepEvent>>, DispatchError> {
        let Local { wanted: Some(wanted), host: Some(host) } = self.0.local.clone() else { return Ok(None) };
        self.install_checked(Checked {
            hostname: wanted.hostname,
            dial: Dial::direct(ADDRESS.into(), host.port, host.user),
            credential: Credential::Password(password),
            policy: fingerprint(&host.host_key).map_or(HostKeyPolicy::Unknown, HostKeyPolicy::Fingerprint),
            no_sudo: true,
            local: true,
            labels: None,
            capabilities: None,
            slots: Some(wanted.slots),
            one_off: false,
            scope: None,
            via: Some(Via::Direct),
        })
        .map(Some)
    }

    /// Why nobody can connect to this runner: the local one has no host while it is turned off.
    pub(super) fn turned_off(&self, runner: &Runner) -> Option<&'static str> {
        (runner.installation.local && self.0.local.host.is_none()).then_some(TURNED_OFF)
    }

    /// Refuses to make a runner of the local one's name by hand.
    ///
    /// # Errors
    /// `IsLocal`
    pub(super) fn not_local(&self, hostname: &str) -> Result<(), DispatchError> {
        let wanted = self.0.local.wanted.as_ref().is_some_and(|wanted| wanted.hostname == hostname);
        let known = self.0.inventory.by_name(hostname).is_some_and(|known| known.runner.installation.local);
        if wanted || known { Err(is_local(hostname, "choose another name for this host")) } else { Ok(()) }
    }

    /// Refuses to remove the local runner while it is on.
    ///
    /// # Errors
    /// `IsLocal`
    pub(super) fn may_be_removed(&self, known: &Known) -> Result<(), DispatchError> {
        let on = known.runner.installation.local && self.0.local.wanted.is_some();
        if on { Err(is_local(&known.runner.hostname, TURN_OFF)) } else { Ok(()) }
    }

    /// Refuses what only the configuration may change.
    ///
    /// # Errors
    /// `IsLocal`
    pub(super) fn may_change_to(&self, before: &Runner, after: &Runner) -> Result<(), DispatchError> {
        if !before.installation.local {
            return Ok(());
        }
        self.may_go_by(before, &after.endpoint.via)?;
        if before.slots != after.slots {
            return Err(is_local(&before.hostname, "its slots are [local] slots of the dispatcher's configuration"));
        }
        if self.0.local.wanted.is_none() && after.state != before.state && after.state != RunnerState::Disabled {
            return Err(is_local(&before.hostname, TURN_ON));
        }
        Ok(())
    }

    /// Refuses another way to the local runner.
    ///
    /// # Errors
    /// `IsLocal`
    pub(super) fn may_go_by(&self, runner: &Runner, via: &Via) -> Result<(), DispatchError> {
        let elsewhere = runner.installation.local && *via != runner.endpoint.via;
        if elsewhere { Err(is_local(&runner.hostname, "nothing lies between it and the dispatcher")) } else { Ok(()) }
    }

    /// Refuses to test the local runner while it has no host.
    ///
    /// # Errors
    /// `IsLocal`
    pub(super) fn may_be_tested(&self, runner: &Runner) -> Result<(), DispatchError> {
        if self.turned_off(runner).is_some() { Err(is_local(&runner.hostname, TURN_ON)) } else { Ok(()) }
    }
}

fn is_local(hostname: &str, instead: &'static str) -> DispatchError {
    DispatchError::IsLocal { hostname: hostname.to_owned(), instead }
}
