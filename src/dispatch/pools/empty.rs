//! A machine that is left: its runner takes no more jobs, and goes when it has none.

use std::collections::BTreeMap;

use serde_json::json;
use shuntyard_domain::pool::instance::{InstanceEvent, LeaveReason};
use shuntyard_domain::runner::{Runner, RunnerState, StateNote};

use super::hook::by;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    Connection, InstanceRow, PoolRow, RunnerChanged, RunnerEvent, StoreError, ValueChange, instance_apply,
    instances_delete, pool_delete, runner_by_id, runner_event_insert, runner_update,
};

impl Dispatcher {
    /// From this commit on no job is placed there.
    pub(super) async fn drain_machine(
        &self,
        pool: &PoolRow,
        row: &InstanceRow,
        reason: LeaveReason,
        note: Option<String>,
    ) -> Result<(), DispatchError> {
        let (id, runner, now_ms, by) = (row.id.clone(), row.instance.runner, self.0.clock.now_ms(), by(&pool.name));
        let write = move |c: &mut Connection| -> Result<Option<Runner>, StoreError> {
            // It has enrolled in this moment, and is about to be in the inventory.
            let found = runner.map(|runner| runner_by_id(c, runner)).transpose()?.flatten();
            if reason == LeaveReason::RunnerGone && found.is_some() {
                return Ok(None);
            }
            if instance_apply(c, &id, &InstanceEvent::Left { reason }, note.as_deref(), now_ms)?.is_none() {
                return Ok(None);
            }
            found
                .filter(|runner| runner.state == RunnerState::Enrolled)
                .map(|r| drain(c, r, reason, &by, now_ms))
                .transpose()
        };
        if let Some(drained) = self.0.store.write(write).await? {
            self.record_changed(drained);
        }
        self.pools_changed();
        Ok(())
    }

    /// Takes the runner of a machine without jobs out of the inventory; one with jobs stays until the next look.
    pub(super) async fn empty(&self, pool: &PoolRow, row: &InstanceRow) -> Result<(), DispatchError> {
        let (id, now_ms) = (row.id.clone(), self.0.clock.now_ms());
        let emptied = move |c: &mut Connection| instance_apply(c, &id, &InstanceEvent::Emptied, None, now_ms).map(drop);
        let known = row.instance.runner.and_then(|runner| self.known(runner).ok());
        let Some(known) = known else {
            self.0.store.write(emptied).await?;
            self.pools_changed();
            return Ok(());
        };
        // Somebody deletes it by hand, or installs it: the next look sees what came of it.
        let Ok(_claim) = self.0.claims.claim(&known.runner.hostname) else { return Ok(()) };
        let closed = match self.close_to_jobs(&known, false).await {
            Ok(closed) => closed,
            Err(DispatchError::RunnerBusy { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.forget_runner(known.runner.id, by(&pool.name), None, emptied).await?;
        closed.for_good();
        tracing::info!(pool.name = %pool.name, runner.name = known.runner.hostname, "a machine has no jobs any more");
        self.pools_changed();
        Ok(())
    }

    /// The last machine of a pool that is being deleted has gone.
    pub(super) async fn forget_pool(&self, pool: &PoolRow) -> Result<(), DispatchError> {
        let id = pool.id;
        let delete = move |c: &mut Connection| -> Result<bool, StoreError> {
            instances_delete(c, id)?;
            pool_delete(c, id)
        };
        self.0.store.write(delete).await?;
        tracing::info!(pool.name = %pool.name, "the pool is deleted");
        self.pools_changed();
        Ok(())
    }
}

fn drain(c: &mut Connection, before: Runner, reason: LeaveReason, by: &str, now_ms: i64) -> Result<Runner, StoreError> {
    let why = Some(reason_told(reason).to_owned());
    let note = StateNote { at_ms: now_ms, by: by.to_owned(), reason: why.clone() };
    let after = runner_update(c, &Runner { state: RunnerState::Draining, state_note: Some(note), ..before.clone() })?;
    let change = ValueChange { before: json!(before.state), after: json!(after.state) };
    let changes = BTreeMap::from([("state".to_owned(), change)]);
    runner_event_insert(
        c,
        &after,
        now_ms,
        &RunnerEvent::Changed(RunnerChanged { by: by.to_owned(), reason: why, changes }),
    )?;
    Ok(after)
}

const fn reason_told(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Idle => "it had nothing to do",
        LeaveReason::Lifetime => "it is as old as its pool lets it get",
        LeaveReason::OneOff => "its one job has ended",
        LeaveReason::Disabled => "its pool is disabled",
        LeaveReason::Deleted => "its pool is being deleted",
        LeaveReason::AboveMax => "its pool has more machines than it may have",
        LeaveReason::StartLimit => "it did not enrol in time",
        LeaveReason::StartRefused => "the provider refused it",
        LeaveReason::Vanished => "the provider has it no more",
        LeaveReason::Unreachable => "it does not answer",
        LeaveReason::RunnerGone => "it was deleted",
    }
}
