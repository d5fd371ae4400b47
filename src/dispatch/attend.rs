//! Looking after one placed job until the store says that it is settled, whatever fails on the way.
//!
//! A job's task may fail: a commit is refused, the task panics. Its slot stays taken, and the task goes on from
//! what the store says; the same code takes jobs up at a start of the daemon.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::recovery::{AfterFault, Resume, Step, after_fault, resume};
use tokio_util::sync::CancellationToken;

use super::engine_error::told;
use super::follow::Following;
use super::keeper::Backoff;
use super::run_job::{RETRY_CAP, RETRY_FIRST};
use super::{DispatchError, Dispatcher};
use crate::store::{ApplyError, Expected, job_apply};

/// What became of a placement.
pub(super) enum Placed {
    /// The job has ended, or it is not ours to run any more.
    Over,
    /// The daemon is stopping; the job goes on.
    Detached,
    /// Nothing runs: if the store says `queued`, the job waits again after this long.
    Back(Duration),
    /// A step could not be stored, or the task failed: the store is asked what is known.
    Unsure(String),
}

impl Placed {
    /// What follows when `step` could not be stored.
    pub(super) fn after_fault(step: Step, error: &ApplyError) -> Self {
        match after_fault(step, error.fault()) {
            AfterFault::LetGo => Self::Over,
            AfterFault::AskStore => Self::Unsure(told(error)),
        }
    }
}

/// Who looks after which job, and the signals it listens to.
pub(super) struct Attendant {
    pub(super) engine: Dispatcher,
    pub(super) job: JobId,
    pub(super) runner: RunnerId,
    pub(super) cancel: CancellationToken,
    pub(super) stop: CancellationToken,
}

/// Runs `job` on `runner`, for which the board has just taken a slot.
pub(super) async fn place(engine: Dispatcher, job: JobId, runner: RunnerId, stop: CancellationToken) {
    let cancel = engine.activate(job, false);
    let attendant = Attendant { engine, job, runner, cancel, stop };
    let placed = caught(attendant.start()).await;
    attendant.attend(placed).await;
}

/// Looks after a job that was placed before (by another process, or over a lost link); `cancel` is its signal.
pub(super) async fn take_up(
    engine: Dispatcher,
    job: Job,
    runner: RunnerId,
    cancel: CancellationToken,
    stop: CancellationToken,
) {
    let attendant = Attendant { engine, job: job.id, runner, cancel, stop };
    let placed = caught(attendant.resume(job)).await;
    attendant.attend(placed).await;
}

/// A panic must not leave a job unattended and its slot taken.
async fn caught(work: impl Future<Output = Placed>) -> Placed {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Placed::Unsure("the job's task panicked".into()))
}

impl Attendant {
    /// Goes on from what the store says until the job is settled; then frees the slot.
    async fn attend(self, mut placed: Placed) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
        let again = loop {
            placed = match placed {
                Placed::Over => break None,
                Placed::Back(delay) => break Some(delay),
                Placed::Detached => return self.engine.deactivate(self.job),
                Placed::Unsure(why) => {
                    let delay = backoff.delay();
                    tracing::error!(why, delay_ms = delay.as_millis() as u64, "the job's task failed; trying again");
                    if self.slept_to_the_stop(delay).await { Placed::Detached } else { self.look_again().await }
                }
            };
        };
        self.engine.deactivate(self.job);
        self.engine.tell_board(BoardEvent::SlotFreed { runner: self.runner, job: self.job });
        self.engine.retire_if_spent(self.runner);
        if let Some(delay) = again {
            self.queue_again(delay).await;
        }
    }

    async fn look_again(&self) -> Placed {
        match self.engine.job(self.job).await {
            Ok(job) => caught(self.resume(job)).await,
            Err(DispatchError::NoJob(_)) => Placed::Over,
            Err(error) => Placed::Unsure(told(&error)),
        }
    }

    /// Goes on with the job as it is stored.
    async fn resume(&self, job: Job) -> Placed {
        if job.cancel.is_some() {
            self.cancel.cancel();
        }
        match resume(&job.state, self.runner) {
            Resume::Queue => Placed::Back(Duration::ZERO),
            Resume::Unassign => self.unassign(job.attempt, "the dispatcher stopped before anything was sent").await,
            Resume::Follow => {
                // Output is not taken before it is known what to mask.
                let masks = match self.engine.masks_of(&job).await {
                    Ok(masks) => masks,
                    Err(error) => return Placed::Unsure(told(&error)),
                };
                let following = Following::new(&self.engine, job, masks, self.cancel.clone(), self.stop.clone());
                self.follow_to_the_end(following, None).await
            }
            Resume::LetGo => {
                // By a commit, perhaps, that failed in appearance only: then nobody was told.
                self.engine.job_changed(&job);
                Placed::Over
            }
        }
    }

    /// Nothing was sent: the job waits again, or has ended when it was cancelled.
    pub(super) async fn unassign(&self, attempt: u32, why: &str) -> Placed {
        let (id, now_ms) = (self.job, self.engine.0.clock.now_ms());
        let event = JobEvent::Unassigned { why: why.into() };
        match self.engine.0.store.write(move |c| job_apply(c, id, Expected::Attempt(attempt), &event, now_ms)).await {
            Ok(job) => {
                self.engine.job_changed(&job);
                Placed::Back(Duration::ZERO)
            }
            Err(error) => Placed::after_fault(Step::Unassign, &error),
        }
    }

    /// Gives the job back to the board after `delay`, unless it has ended meanwhile.
    async fn queue_again(&self, delay: Duration) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
        let mut delay = delay;
        while !self.slept_to_the_stop(delay).await {
            match self.waiting_again().await {
                Ok((job, tried)) => {
                    self.engine.queue(&job, tried);
                    // A cancel between the look and the board's knowledge has told the board too early.
                    if self.engine.job(self.job).await.is_ok_and(|job| job.state.is_finished()) {
                        self.engine.tell_board(BoardEvent::JobDropped(self.job));
                    }
                    return;
                }
                Err(DispatchError::NoJob(_)) => return,
                Err(error) => {
                    tracing::error!(error = told(&error), "the job cannot be read; it is queued when the store answers")
                }
            }
            delay = backoff.delay();
        }
    }

    /// The job, and the runners that it is to be kept from while there are others.
    async fn waiting_again(&self) -> Result<(Job, Vec<RunnerId>), DispatchError> {
        let job = self.engine.job(self.job).await?;
        let tried = self.engine.runners_tried(&job).await?;
        Ok((job, tried))
    }

    /// Waits; true when the daemon stops instead.
    async fn slept_to_the_stop(&self, delay: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(delay) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_jobs_task_is_an_outcome_that_asks_the_store() {
        let panicking = async { if true { panic!("planted") } else { Placed::Over } };
        assert!(matches!(caught(panicking).await, Placed::Unsure(_)));
        assert!(matches!(caught(async { Placed::Over }).await, Placed::Over));
    }
}
