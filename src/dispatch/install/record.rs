//! The runner's record, from what the bootstrap found and made.

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Endpoint, Health, Installation, Runner, RunnerState, Scope};
use shuntyard_domain::wrapper::wrapper_version;

use super::{AGAIN, Install, Placed};
use crate::dispatch::DispatchError;
use crate::dispatch::keeper::key_context;
use crate::dispatch::steps::Failure;
use crate::ssh::Target;
use crate::store::{StoreError, runner_by_id, runner_insert, runner_replace_key, runner_update};

impl Install<'_> {
    /// The runner as it is stored; what an earlier enrolment set by hand stays.
    pub(super) fn record(&self, id: RunnerId, target: &Target, placed: &Placed, report: String) -> Runner {
        let now_ms = self.engine.0.clock.now_ms();
        let before = self.before.map(|known| (*known.runner).clone());
        let earlier = before.as_ref();
        Runner {
            id,
            hostname: self.checked.hostname.clone(),
            endpoint: Endpoint {
                address: target.dial.address.clone(),
                port: target.dial.port,
                user: target.dial.user.clone(),
                host_keys: target.host_keys.clone(),
            },
            openssh_public_key: placed.key.public_line.clone(),
            installation: Installation {
                wrapper_path: placed.installed.wrapper_path.clone(),
                base_dir: placed.installed.base_dir.clone(),
                wrapper_version: wrapper_version(),
                instance_id: placed.installed.instance_id.clone(),
                boot_id: placed.installed.boot_id.clone(),
                system_mode: placed.system_mode,
                tools: placed.host.tools.clone(),
            },
            facts: facts_from(&placed.host),
            labels: self.checked.labels.clone().or(earlier.map(|r| r.labels.clone())).unwrap_or_default(),
            capabilities: earlier.map(|r| r.capabilities.clone()).unwrap_or_default(),
            scope: earlier.map_or(Scope::Enterprise, |r| r.scope.clone()),
            slots: self.checked.slots.or(earlier.map(|r| r.slots)).unwrap_or(1),
            state: earlier.map_or(RunnerState::Enrolled, |r| state_after(r.state)),
            health: Health::Ok { command_output: report },
            created_at_ms: earlier.map_or(now_ms, |r| r.created_at_ms),
            last_seen_at_ms: Some(now_ms),
            version: earlier.map_or(1, |r| r.version),
        }
    }

    /// Stores the record with its sealed key, and returns it as it is stored.
    pub(super) async fn store(&self, mut runner: Runner, placed: &Placed) -> Result<Runner, Failure> {
        let failure = |error: DispatchError| Failure::new(error, AGAIN);
        let sealed = self
            .engine
            .0
            .sealer
            .seal(&key_context(runner.id), placed.key.private.as_bytes())
            .map_err(|error| failure(error.into()))?;
        let (labels_given, slots_given) = (self.checked.labels.is_some(), self.checked.slots.is_some());
        let stored = self
            .engine
            .0
            .store
            .write(move |c| {
                let Some(current) = runner_by_id(c, runner.id)? else {
                    runner_insert(c, &runner, &sealed)?;
                    return Ok(runner);
                };
                // The bootstrap took its time: what people changed meanwhile stays.
                runner.version = current.version;
                runner.capabilities = current.capabilities;
                runner.state = state_after(current.state);
                if !labels_given {
                    runner.labels = current.labels;
                }
                if !slots_given {
                    runner.slots = current.slots;
                }
                let runner = runner_update(c, &runner)?;
                runner_replace_key(c, runner.id, &sealed)?;
                Ok(runner)
            })
            .await;
        stored.map_err(|error: StoreError| failure(error.into()))
    }
}

/// A bootstrap ends what only a bootstrap can end; what people set by hand stays.
const fn state_after(before: RunnerState) -> RunnerState {
    match before {
        RunnerState::Enrolled | RunnerState::Pending | RunnerState::Quarantined => RunnerState::Enrolled,
        kept @ (RunnerState::Draining | RunnerState::Disabled) => kept,
    }
}
