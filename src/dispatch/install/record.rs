//! The runner's record, from what the bootstrap found and made.

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Endpoint, Health, Installation, OneOff, Runner, RunnerState, StateNote};
use shuntyard_domain::wrapper::wrapper_version;

use super::{AGAIN, Install, Placed};
use crate::dispatch::DispatchError;
use crate::dispatch::jump_hosts::check_via;
use crate::dispatch::keeper::key_context;
use crate::dispatch::steps::Failure;
use crate::dispatch::test_runner::Examined;
use crate::ssh::Target;
use crate::store::{MadeKind, runner_by_id, runner_insert, runner_replace_key, runner_update};

impl Install<'_> {
    /// The runner as it is stored; what an earlier enrolment set by hand stays.
    pub(super) fn record(&self, id: RunnerId, target: &Target, placed: &Placed, examined: Examined) -> Runner {
        let now_ms = self.engine.0.clock.now_ms();
        let before = self.before.map(|known| (*known.runner).clone());
        let (earlier, checked) = (before.as_ref(), self.checked);
        Runner {
            id,
            hostname: self.checked.hostname.clone(),
            endpoint: Endpoint {
                address: target.dial.address.clone(),
                port: target.dial.port,
                user: target.dial.user.clone(),
                host_keys: target.host_keys.clone(),
                via: self.via.clone(),
            },
            openssh_public_key: placed.key.public_line.clone(),
            installation: Installation {
                wrapper_path: placed.installed.wrapper_path.clone(),
                base_dir: placed.installed.base_dir.clone(),
                wrapper_version: wrapper_version(),
                instance_id: placed.installed.instance_id.clone(),
                boot_id: placed.installed.boot_id.clone(),
                system_mode: placed.system_mode,
                local: checked.local,
                tools: placed.host.tools.clone(),
                stop_means: examined.stop_means,
            },
            facts: facts_from(&placed.host),
            labels: checked.labels.clone().or(earlier.map(|r| r.labels.clone())).unwrap_or_default(),
            capabilities: checked.capabilities.clone().or(earlier.map(|r| r.capabilities.clone())).unwrap_or_default(),
            scope: checked.scope.clone().or(earlier.map(|r| r.scope.clone())).unwrap_or_default(),
            slots: checked.slots.or(earlier.map(|r| r.slots)).unwrap_or(1),
            one_off: earlier.and_then(|r| r.one_off).or(checked.one_off.then(OneOff::default)),
            pool: earlier.and_then(|r| r.pool.clone()),
            state: earlier.map_or(RunnerState::Enrolled, |r| state_after(r.state)),
            state_note: earlier.and_then(note_after),
            health: Health::Ok { command_output: examined.report },
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
        let checked = self.checked;
        let (labels_given, slots_given) = (checked.labels.is_some(), checked.slots.is_some());
        let one_off_given = checked.one_off;
        let (capabilities_given, scope_given) = (checked.capabilities.is_some(), checked.scope.is_some());
        let stored = self
            .engine
            .0
            .store
            .create(MadeKind::Runner, self.checked.hostname.clone(), move |c| {
                check_via(c, &runner.endpoint.via)?;
                let Some(current) = runner_by_id(c, runner.id)? else {
                    runner_insert(c, &runner, &sealed)?;
                    return Ok(runner);
                };
                // The bootstrap took its time: what people changed meanwhile stays.
                runner.version = current.version;
                runner.state = state_after(current.state);
                runner.state_note = note_after(&current);
                runner.pool = current.pool;
                // One that has had its job has had it.
                runner.one_off = current.one_off.or(one_off_given.then(OneOff::default));
                if !capabilities_given {
                    runner.capabilities = current.capabilities;
                }
                if !scope_given {
                    runner.scope = current.scope;
                }
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
        stored.map_err(failure)
    }
}

/// Why the runner is in the state that it keeps.
fn note_after(before: &Runner) -> Option<StateNote> {
    before.state_note.clone().filter(|_| state_after(before.state) == before.state)
}

/// A bootstrap ends what only a bootstrap can end; what people set by hand stays.
const fn state_after(before: RunnerState) -> RunnerState {
    match before {
        RunnerState::Enrolled | RunnerState::Pending | RunnerState::Quarantined => RunnerState::Enrolled,
        kept @ (RunnerState::Draining | RunnerState::Disabled) => kept,
    }
}
