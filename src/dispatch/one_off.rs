//! Runners that take one job: spent by the commit of its placement, removed after its end.
//!
//! One attempt spends them, also one that never started: what a start that came to nothing has left on the host is not
//! known. Whether a runner is spent is stored, so that a crash anywhere between placement and removal changes nothing: a
//! start of the daemon removes those whose job has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::runner::{OneOff, Runner};
use shuntyard_domain::wire::api::StepEvent;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::engine_error::told;
use super::keeper::Backoff;
use super::uninstall::{Removal, Removing};
use super::{DispatchError, Dispatcher};
use crate::store::{
    Connection, RunnerChanged, RunnerEvent, StoreError, ValueChange, runner_by_id, runner_event_insert, runner_update,
};

/// Who changes and removes them, in their history.
const BY: &str = "the dispatcher";
const TRY_FIRST: Duration = Duration::from_secs(1);
const TRY_CAP: Duration = Duration::from_secs(20);
/// How long a host is tried that cannot be cleaned: machines of one job often go with it.
const CLEAN_FOR: Duration = Duration::from_secs(600);

/// Gives the runner its one job, in the commit of the placement; `None` when it has had one.
pub(super) fn spend(
    c: &mut Connection,
    runner: RunnerId,
    job: JobId,
    now_ms: i64,
) -> Result<Option<Runner>, StoreError> {
    let Some(before) = runner_by_id(c, runner)?.filter(|runner| runner.spent_by().is_none()) else { return Ok(None) };
    let one_off = Some(OneOff { job: Some(job) });
    let after = runner_update(c, &Runner { one_off, ..before.clone() })?;
    let change = ValueChange { before: json!(before.one_off), after: json!(one_off) };
    let changes = BTreeMap::from([("one_off".to_owned(), change)]);
    let event = RunnerEvent::Changed(RunnerChanged { by: BY.to_owned(), reason: None, changes });
    runner_event_insert(c, &after, now_ms, &event)?;
    Ok(Some(after))
}

impl Dispatcher {
    /// Removes every runner whose one job has ended; the others' jobs say it at their end.
    pub(super) fn retire_the_spent(&self) {
        self.0.inventory.all().iter().for_each(|known| self.retire_if_spent(known.runner.id));
    }

    /// Removes the runner if it takes one job and that has ended. Saying it twice changes nothing.
    pub(super) fn retire_if_spent(&self, id: RunnerId) {
        let Ok(known) = self.known(id) else { return };
        // A machine of a pool is stopped by its pool.
        if known.runner.spent_by().is_none() || known.runner.pool.is_some() {
            return;
        }
        let engine = self.clone();
        let span = info_span!("one_off", runner.name = known.runner.hostname);
        self.0.tasks.spawn(span, move |stop| async move { engine.retire(id, stop).await });
    }

    /// Tries until it is gone, or is not to go any more.
    async fn retire(&self, id: RunnerId, stop: CancellationToken) {
        let (mut backoff, began) = (Backoff::new(TRY_FIRST, TRY_CAP), Instant::now());
        loop {
            let Ok(known) = self.known(id) else { return };
            // What is stored by now decides.
            if known.runner.spent_by().is_none() {
                return;
            }
            let removal = if began.elapsed() < CLEAN_FOR { Removal::Idle } else { Removal::Forced };
            match self.retired(&known.runner.hostname, removal).await {
                Ok(()) => return tracing::info!("its one job has ended: the runner is removed"),
                // Its job's end says it again.
                Err(NotRetired::Engine(DispatchError::RunnerBusy { .. })) => return,
                Err(error) => tracing::info!(error = told(&error), "the runner is not removed yet"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.delay()) => (),
            }
        }
    }

    async fn retired(&self, hostname: &str, removal: Removal) -> Result<(), NotRetired> {
        let mut steps = self.uninstall(hostname, Removing { removal, by: BY.into(), reason: None }).await?;
        while let Some(step) = steps.recv().await {
            match step {
                StepEvent::Finished { .. } => return Ok(()),
                StepEvent::Failed { step, why, .. } => return Err(NotRetired::Step { step, why }),
                StepEvent::Began { .. }
                | StepEvent::Done { .. }
                | StepEvent::Probed { .. }
                | StepEvent::HostKeyUnconfirmed { .. } => (),
            }
        }
        Err(NotRetired::Engine(DispatchError::Interrupted))
    }
}

/// A runner is still there.
#[derive(Debug, thiserror::Error)]
enum NotRetired {
    #[error("{step}: {why}")]
    Step { step: String, why: String },
    #[error(transparent)]
    Engine(#[from] DispatchError),
}
