//! The queue limit: a job that has waited too long ends as `expired`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::clocks::{Deadlines, expires_at_ms};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobEvent, JobState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::engine_error::told;
use super::{DispatchError, Dispatcher};
use crate::store::{ApplyError, Expected, job_apply};

/// The machine's clock may be set: it is looked at at least this often while a job has a limit.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// When the store does not answer, the job is looked at again after this long.
const AGAIN_MS: i64 = 1_000;

/// The waiting jobs that have a limit. A job that has started meanwhile is found out when its time comes.
#[derive(Default)]
pub(super) struct QueueClock {
    deadlines: Mutex<Deadlines>,
    earlier: Notify,
}

impl QueueClock {
    fn deadlines(&self) -> std::sync::MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, at_ms: i64, job: JobId) {
        let first = self.deadlines().watch(at_ms, job);
        if first {
            self.earlier.notify_one();
        }
    }

    async fn wait(&self, now_ms: i64) {
        let next_ms = self.deadlines().next_ms();
        let Some(next_ms) = next_ms else { return self.earlier.notified().await };
        let left = Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0));
        tokio::select! {
            () = self.earlier.notified() => {}
            () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
        }
    }
}

/// Ends jobs that have waited too long, until the daemon stops.
pub(super) async fn run(engine: Dispatcher, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = engine.0.queue_clock.wait(engine.0.clock.now_ms()) => {}
        }
        let now_ms = engine.0.clock.now_ms();
        let due = engine.0.queue_clock.deadlines().due(now_ms);
        for id in due {
            if let Err(why) = expire(&engine, id, now_ms).await {
                tracing::error!(job.id = %id, why, "the queue limit cannot be looked at; trying again");
                engine.0.queue_clock.watch(now_ms + AGAIN_MS, id);
            }
        }
    }
}

/// Ends the job if it still waits.
async fn expire(engine: &Dispatcher, id: JobId, now_ms: i64) -> Result<(), String> {
    match engine.job(id).await {
        Ok(job)
            if matches!(job.state, JobState::Queued) && expires_at_ms(&job).is_some_and(|at_ms| at_ms <= now_ms) => {}
        // Perhaps by an earlier look, whose commit only seemed to fail.
        Ok(job) if job.state.is_finished() => {
            engine.tell_board(BoardEvent::JobDropped(id));
            engine.job_changed(&job);
            return Ok(());
        }
        // It runs, or waits anew; one that comes back to the queue is watched again.
        Ok(_) | Err(DispatchError::NoJob(_)) => return Ok(()),
        Err(error) => return Err(told(&error)),
    }
    match engine.0.store.write(move |c| job_apply(c, id, Expected::Anything, &JobEvent::Expired, now_ms)).await {
        Ok(job) => {
            tracing::info!(job.id = %id, "expired: it waited longer than its queue limit");
            engine.tell_board(BoardEvent::JobDropped(id));
            // Its task may wait for a place on a runner.
            if let Some(signal) = engine.cancel_signal(id) {
                signal.cancel();
            }
            engine.job_changed(&job);
            Ok(())
        }
        // Placed between the look and the write.
        Err(
            ApplyError::Illegal(_) | ApplyError::NotFound(_) | ApplyError::Raced { .. } | ApplyError::Superseded { .. },
        ) => Ok(()),
        Err(error) => Err(told(&error)),
    }
}

impl Dispatcher {
    /// Watches a waiting job's queue limit; true when it has passed already, and the job must not start any more.
    pub(super) fn watch_queue_limit(&self, job: &Job) -> bool {
        let Some(at_ms) = expires_at_ms(job) else { return false };
        self.0.queue_clock.watch(at_ms, job.id);
        at_ms <= self.0.clock.now_ms()
    }
}
