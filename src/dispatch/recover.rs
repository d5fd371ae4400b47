//! What a start of the daemon takes up: the inventory, the queue, and jobs that run without us.

use std::sync::Arc;

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::job::{Job, JobEvent, JobState};
use tracing::info_span;

use super::keeper::key_context;
use super::{DispatchError, Dispatcher, run_job};
use crate::ssh::load_private_key;
use crate::store::{StoreError, job_apply, jobs_unfinished, runner_list, runner_sealed_key};

/// Loads everything that is not finished. Slots are taken before the first waiting job is queued.
pub(super) async fn take_up(engine: &Dispatcher) -> Result<(), DispatchError> {
    load_runners(engine).await?;
    let unfinished = engine.0.store.read(jobs_unfinished).await?;
    let (waiting, placed): (Vec<Job>, Vec<Job>) =
        unfinished.into_iter().partition(|job| matches!(job.state, JobState::Queued));
    tracing::info!(waiting = waiting.len(), placed = placed.len(), "taking up unfinished jobs");
    for job in placed {
        take_up_placed(engine, job).await?;
    }
    waiting.iter().for_each(|job| engine.queue(job));
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
    for (sealed, runner) in stored {
        let key = engine.open_key(runner.id, &sealed)?;
        engine.keep(runner, key);
    }
    Ok(())
}

async fn take_up_placed(engine: &Dispatcher, job: Job) -> Result<(), DispatchError> {
    match &job.state {
        JobState::Assigned { .. } => {
            // Nothing was sent: the intent is committed before the first byte.
            let (id, now_ms) = (job.id, engine.0.clock.now_ms());
            let event = JobEvent::Unassigned { why: "the daemon stopped before anything was sent".into() };
            let job = engine.0.store.write(move |c| job_apply(c, id, None, &event, now_ms)).await?;
            engine.queue(&job);
        }
        JobState::Starting { runner } | JobState::Running { runner, .. } => {
            let (engine, runner) = (engine.clone(), *runner);
            engine.tell_board(BoardEvent::SlotTaken { runner, job: job.id });
            let span = info_span!("job", job.id = %job.id, runner.id = %runner);
            let tasks = engine.0.tasks.clone();
            tasks.spawn(span, move |stop| run_job::take_up(engine, job, runner, stop));
        }
        JobState::Queued | JobState::Finished(_) => (),
    }
    Ok(())
}

impl Dispatcher {
    /// Opens a runner's private key.
    pub(super) fn open_key(&self, id: RunnerId, sealed: &[u8]) -> Result<Arc<crate::ssh::RunnerKey>, DispatchError> {
        let opened = self.0.sealer.open(&key_context(id), sealed)?;
        let text = String::from_utf8_lossy(&opened);
        Ok(Arc::new(load_private_key(&text, None)?))
    }
}
