//! What a start of the daemon takes up: the inventory, the queue, and jobs that run without us.

use std::sync::Arc;

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::runner::Health;
use shuntyard_domain::runner::Runner;
use tracing::info_span;

use super::keeper::key_context;
use super::limits::account;
use super::{DispatchError, Dispatcher, attend};
use crate::ssh::load_private_key;
use crate::store::{StoreError, jobs_unfinished, runner_list, runner_sealed_key, runner_update};

/// Loads everything that is not finished. Slots are taken before the first waiting job is queued.
pub(super) async fn take_up(engine: &Dispatcher) -> Result<(), DispatchError> {
    engine.load_pause().await?;
    engine.load_jump_hosts().await?;
    load_runners(engine).await?;
    engine.load_limits().await?;
    let unfinished = engine.0.store.read(jobs_unfinished).await?;
    let (waiting, placed): (Vec<Job>, Vec<Job>) =
        unfinished.into_iter().partition(|job| matches!(job.state, JobState::Queued));
    tracing::info!(waiting = waiting.len(), placed = placed.len(), "taking up unfinished jobs");
    placed.into_iter().for_each(|job| take_up_placed(engine, job));
    engine.retire_the_spent();
    for job in &waiting {
        engine.queue(job, engine.runners_tried(job).await?);
    }
    engine.await_runners().await;
    Ok(())
}

async fn load_runners(engine: &Dispatcher) -> Result<(), DispatchError> {
    let stored = engine
        .0
        .store
        .read(|c| {
            let mut stored = Vec::new();
            for runner in runner_list(c)? {
                if let Some(sealed) = runner_sealed_key(c, runner.id)? {
                    stored.push((sealed, runner));
                }
            }
            Ok::<_, StoreError>(stored)
        })
        .await?;
    let runners: Vec<Runner> = stored.iter().map(|(_, runner)| runner.clone()).collect();
    engine.load_dial_out_keys(&runners).await?;
    for (sealed, mut runner) in stored {
        // A Test that the end of the last daemon broke off. It is stored: a check leaves a Test that runs its word.
        if let Health::Pending { unhealthy } = runner.health {
            let why = "the Test was broken off by a restart of the dispatcher".to_owned();
            runner.health = if unhealthy { Health::Error { command_output: why } } else { Health::Untested };
            runner = engine.0.store.write(move |c| runner_update(c, &runner)).await?;
        }
        let key = engine.open_key(runner.id, &sealed)?;
        engine.keep(runner, key);
    }
    Ok(())
}

/// Takes the slot of a placed job and starts its task.
fn take_up_placed(engine: &Dispatcher, job: Job) {
    let Some(runner) = job.state.runner() else { return };
    engine.tell_board(BoardEvent::SlotTaken { runner, job: job.id, account: account(&job) });
    // Before the task runs: a cancel that comes at once must find it.
    let cancel = engine.activate(job.id, job.cancel.is_some());
    let span = info_span!("job", job.id = %job.id, runner.id = %runner);
    let attended = engine.clone();
    engine.0.tasks.spawn(span, move |stop| attend::take_up(attended, job, runner, cancel, stop));
}

impl Dispatcher {
    /// Opens a runner's private key.
    pub(super) fn open_key(&self, id: RunnerId, sealed: &[u8]) -> Result<Arc<crate::ssh::RunnerKey>, DispatchError> {
        let opened = self.0.sealer.open(&key_context(id), sealed)?;
        let text = String::from_utf8_lossy(&opened);
        Ok(Arc::new(load_private_key(&text, None)?))
    }
}
