//! One placement of a job: reserve a channel, commit the intent, start, follow, settle.

use std::collections::BTreeMap;
use std::time::Duration;

use shuntyard_domain::board::{BoardEvent, QueuedJob};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::wire::frame::Frame;
use tokio_util::sync::CancellationToken;

use super::follow::{Followed, Following};
use super::inventory::Known;
use super::keeper::Backoff;
use super::{DispatchError, Dispatcher};
use crate::ssh::attempt;
use crate::store::{ApplyError, job_apply, job_find};

/// Placements with proof of no start before the job ends as failed.
const MAX_PLACEMENTS: u32 = 5;
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(60);
pub(super) const REATTACH_FIRST: Duration = Duration::from_millis(100);
pub(super) const REATTACH_CAP: Duration = Duration::from_secs(5);

/// What became of a placement.
enum Placed {
    /// The job has ended, or it is not ours to run any more.
    Over,
    /// The daemon is stopping; the job goes on.
    Detached,
    /// Nothing ran; the job is queued again.
    Requeue(Box<Job>, Option<Duration>),
    /// Nothing was committed: the runner could not be reached.
    Unreached,
}

/// Runs `job` on `runner`, for which the board has just taken a slot.
pub(super) async fn place(engine: Dispatcher, job: JobId, runner: RunnerId, stop: CancellationToken) {
    let cancel = engine.activate(job, false);
    let placed = start(&engine, job, runner, cancel, stop).await;
    settle(&engine, job, runner, placed).await;
}

/// Follows a job that was started before (by another process, or over a lost link).
pub(super) async fn take_up(engine: Dispatcher, job: Job, runner: RunnerId, stop: CancellationToken) {
    let id = job.id;
    let cancel = engine.activate(id, job.cancel.is_some());
    let following = Following::new(&engine, job, cancel, stop);
    let placed = follow_to_the_end(&engine, following, runner, None).await;
    settle(&engine, id, runner, Ok(placed)).await;
}

async fn settle(engine: &Dispatcher, job: JobId, runner: RunnerId, placed: Result<Placed, DispatchError>) {
    engine.deactivate(job);
    let requeue = match placed {
        Ok(Placed::Detached) => return,
        Ok(Placed::Over) => None,
        Ok(Placed::Requeue(queued, delay)) => Some((queued, delay)),
        Ok(Placed::Unreached) => match engine.job(job).await {
            Ok(queued) => Some((Box::new(queued), Some(REATTACH_FIRST))),
            Err(error) => return tracing::error!(%error, "the job waits for the next start of the daemon"),
        },
        Err(error) => {
            tracing::error!(%error, "the placement could not be committed; the job waits for the next start of the daemon");
            None
        }
    };
    engine.tell_board(BoardEvent::SlotFreed { runner, job });
    match requeue {
        Some((queued, None)) => engine.queue(&queued),
        Some((queued, Some(delay))) => {
            tokio::time::sleep(delay).await;
            // It may have been cancelled while nobody looked.
            if let Ok(now) = engine.job(queued.id).await {
                engine.queue(&now);
            }
        }
        None => (),
    }
}

async fn start(
    engine: &Dispatcher,
    id: JobId,
    runner: RunnerId,
    cancel: CancellationToken,
    stop: CancellationToken,
) -> Result<Placed, DispatchError> {
    let Ok(known) = engine.known(runner) else { return Ok(Placed::Unreached) };
    let mut lease = match engine.lease_job(&known).await {
        Ok(lease) => lease,
        Err(error) => {
            tracing::warn!(%error, "the runner cannot be reached; nothing was sent");
            return Ok(Placed::Unreached);
        }
    };
    // The intent is on disk before the first byte leaves.
    let job = match intend(engine, id, runner).await {
        Ok(job) => job,
        Err(ApplyError::Raced { .. } | ApplyError::Illegal(_) | ApplyError::NotFound(_)) => return Ok(Placed::Over),
        Err(error) => return Err(error.into()),
    };
    let environment = job_environment(&job, &known);
    let frame = match (Frame { spec: &job.spec, env: &environment }).encode() {
        Ok(frame) => frame,
        // Checked at submission; a job of an older version may still hold what a shell cannot carry.
        Err(error) => return Ok(never_started(engine, id, error.to_string()).await),
    };
    let attempt_id = job.attempt_id();
    let following = Following::new(engine, job, cancel, stop);
    let stream = attempt::start(&mut lease, &known.runner.installation.wrapper_path, attempt_id, frame, 0).await;
    Ok(follow_to_the_end(engine, following, runner, stream.ok()).await)
}

async fn intend(engine: &Dispatcher, id: JobId, runner: RunnerId) -> Result<Job, ApplyError> {
    let now_ms = engine.0.clock.now_ms();
    let job = engine
        .0
        .store
        .write(move |c| {
            job_apply(c, id, None, &JobEvent::Assigned { runner }, now_ms)?;
            job_apply(c, id, None, &JobEvent::StartIntended, now_ms)
        })
        .await?;
    engine.0.feed.job_changed(id, job.version);
    Ok(job)
}

/// Follows, and attaches again after every lost link, until the attempt has a definite end.
async fn follow_to_the_end(
    engine: &Dispatcher,
    mut following: Following<'_>,
    runner: RunnerId,
    mut stream: Option<attempt::Attempt>,
) -> Placed {
    let mut backoff = Backoff::new(REATTACH_FIRST, REATTACH_CAP);
    loop {
        let followed = match stream.take() {
            Some(stream) => following.follow(stream, &mut backoff).await,
            None => following.attach(runner).await,
        };
        match followed {
            Followed::Attached(attached) => stream = Some(attached),
            Followed::Over => return Placed::Over,
            Followed::Detached => return Placed::Detached,
            Followed::NeverStarted(why) => return never_started(engine, following.job().id, why).await,
            Followed::LinkLost(why) => {
                let delay = backoff.delay();
                tracing::info!(why, delay_ms = delay.as_millis() as u64, "lost the job's channel; attaching again");
                if following.wait_or_stop(delay).await {
                    return Placed::Detached;
                }
            }
        }
    }
}

/// Puts a job with proof of no start back into the queue, or ends it after too many placements.
async fn never_started(engine: &Dispatcher, id: JobId, why: String) -> Placed {
    let now_ms = engine.0.clock.now_ms();
    tracing::warn!(why, "the attempt never started");
    let stored = engine
        .0
        .store
        .write(move |c| {
            let attempt = job_find(c, id)?.map_or(0, |job| job.attempt);
            let event = if attempt >= MAX_PLACEMENTS {
                JobEvent::PlacementsExhausted { why }
            } else {
                JobEvent::NeverStarted { why }
            };
            job_apply(c, id, None, &event, now_ms)
        })
        .await;
    match stored {
        Ok(job) => {
            engine.0.feed.job_changed(id, job.version);
            if job.state.is_finished() {
                return Placed::Over;
            }
            let mut backoff = Backoff::new(RETRY_FIRST * 2_u32.pow(job.attempt.saturating_sub(1).min(6)), RETRY_CAP);
            Placed::Requeue(Box::new(job), Some(backoff.delay()))
        }
        Err(error) => {
            tracing::error!(%error, "the proof of no start could not be stored; the job waits for the next start");
            Placed::Over
        }
    }
}

/// The variables that every job sees, under those that its author set.
fn job_environment(job: &Job, known: &Known) -> BTreeMap<String, String> {
    let origin = &job.origin;
    let mut environment: BTreeMap<String, String> = [
        ("SHUNT_JOB_ID", job.id.to_string()),
        ("SHUNT_ATTEMPT", job.attempt.to_string()),
        ("SHUNT_ENTERPRISE", origin.enterprise.clone()),
        ("SHUNT_ORG", origin.org.clone()),
        ("SHUNT_PROJECT", origin.project.clone()),
        ("SHUNT_STAGE", origin.stage.map_or("", |s| s.as_str()).to_owned()),
        ("SHUNT_PHASE", origin.phase.map_or("", |p| p.as_str()).to_owned()),
        ("SHUNT_MATRIX_ROW", origin.row.to_string()),
        ("SHUNT_MATRIX_FILTER", job.filter.to_string()),
        ("SHUNT_RUNNER", known.runner.hostname.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    environment.extend(job.spec.env.clone());
    environment
}

impl Dispatcher {
    /// Gives a queued job to the board; a job in any other state is not.
    pub(super) fn queue(&self, job: &Job) {
        if matches!(job.state, shuntyard_domain::job::JobState::Queued) {
            self.tell_board(BoardEvent::JobQueued(QueuedJob {
                id: job.id,
                filter: job.filter.clone(),
                priority: job.priority,
                org: job.origin.org.clone(),
            }));
        }
    }
}
