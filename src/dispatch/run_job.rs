//! One placement of a job: reserve a channel, commit the intent, start, follow, settle.

use std::collections::BTreeMap;
use std::time::Duration;

use shuntyard_domain::attempt::AttemptRecord;
use shuntyard_domain::board::{BoardEvent, QueuedJob};
use shuntyard_domain::ids::{AttemptId, JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent, JobState};
use shuntyard_domain::recovery::{self, Step};
use shuntyard_domain::runner::{Runner, RunnerState};
use shuntyard_domain::wire::frame::Frame;

use super::attend::{Attendant, Placed};
use super::engine_error::told;
use super::follow::{Followed, Following};
use super::inventory::Known;
use super::job_secrets::{Handed, NotOpened};
use super::keeper::Backoff;
use super::limits::account;
use super::one_off::spend;
use super::{DispatchError, Dispatcher};
use crate::ssh::Lease;
use crate::ssh::attempt::{self, Attempt};
use crate::store::{
    ApplyError, Expected, job_apply, job_apply_each, job_attempt_insert, job_attempts, job_find, runner_by_id,
    runner_state,
};

pub(super) const RETRY_FIRST: Duration = Duration::from_secs(1);
pub(super) const RETRY_CAP: Duration = Duration::from_secs(60);
pub(super) const REATTACH_FIRST: Duration = Duration::from_millis(100);
pub(super) const REATTACH_CAP: Duration = Duration::from_secs(5);

/// Where a job's start is sent.
pub(super) enum Place {
    /// The channel of an ended attempt.
    Lane(Box<Attempt>),
    /// A slot for a new channel.
    Fresh(Lease),
}

impl Attendant {
    /// Sends the job to its runner once the intent is stored, and follows it.
    pub(super) async fn start(&self) -> Placed {
        let (engine, id) = (&self.engine, self.job);
        let Ok(known) = engine.known(self.runner) else { return Placed::Back(REATTACH_FIRST) };
        let place = match self.place(&known).await {
            Ok(place) => place,
            Err(placed) => return placed,
        };
        // The intent is on disk before the first byte leaves.
        // Asked again: the runner may have connected anew since.
        let known = engine.known(self.runner).unwrap_or(known);
        let job = match intend(engine, id, &known).await {
            Ok(Some(job)) => job,
            Ok(None) => return self.give_back(place, Placed::Back(REATTACH_FIRST)),
            Err(error) => return self.give_back(place, Placed::after_fault(Step::Intent, &error)),
        };
        let (job, place) = match job.spec.workspace {
            None => (job, place),
            Some(tree) => {
                // Others may have the channel while the tree travels.
                self.give_back(place, Placed::Over);
                match self.bring_tree(&known, &job, tree).await {
                    Ok(started) => started,
                    Err(placed) => return placed,
                }
            }
        };
        let (handed, masks) = match engine.hand_over(&job, &known).await {
            Ok(handed) => handed,
            Err(error) => {
                self.give_back(place, Placed::Over);
                return not_opened(engine, job.attempt_id(), &error).await;
            }
        };
        let environment = job_environment(&job, &known, &handed);
        let frame = match (Frame { spec: &job.spec, env: &environment }).encode_with(&handed.for_frame(&job.spec)) {
            Ok(frame) => frame,
            // Checked at submission; a job of an older version may still hold what a shell cannot carry.
            Err(error) => {
                self.give_back(place, Placed::Over);
                return never_started(engine, job.attempt_id(), error.to_string()).await;
            }
        };
        drop((environment, handed));
        let attempt_id = job.attempt_id();
        let mut following = Following::new(engine, job, masks, self.cancel.clone(), self.stop.clone());
        let stream = match place {
            Place::Lane(lane) => lane.next(attempt_id, &frame).await,
            // The channel holds the slot from here on, and gives it back when it ends.
            Place::Fresh(mut lease) => {
                attempt::start(&mut lease, &known.runner.installation.wrapper_path, attempt_id, frame, 0).await
            }
        };
        following.nothing_sent = stream.is_err();
        self.follow_to_the_end(following, stream.ok()).await
    }

    /// A channel for the start, before anything is committed.
    pub(super) async fn place(&self, known: &Known) -> Result<Place, Placed> {
        if let Some(lane) = self.engine.take_lane(known) {
            return Ok(Place::Lane(Box::new(lane)));
        }
        let leased = tokio::select! {
            () = self.stop.cancelled() => return Err(Placed::Detached),
            // Cancelled while nothing was sent: it has ended already.
            () = self.cancel.cancelled() => return Err(Placed::Back(Duration::ZERO)),
            leased = self.engine.lease_job(known) => leased,
        };
        leased.map(Place::Fresh).map_err(|error| {
            tracing::warn!(%error, "the runner cannot be reached; nothing was sent");
            Placed::Back(REATTACH_FIRST)
        })
    }

    /// Nothing was sent: the channel is free for another job.
    pub(super) fn give_back(&self, place: Place, placed: Placed) -> Placed {
        if let Place::Lane(lane) = place {
            self.engine.park(self.runner, *lane);
        }
        placed
    }

    /// Follows, and attaches again after every lost link, until the attempt has a definite end.
    pub(super) async fn follow_to_the_end(&self, mut following: Following<'_>, mut stream: Option<Attempt>) -> Placed {
        let mut backoff = Backoff::new(REATTACH_FIRST, REATTACH_CAP);
        loop {
            let followed = match stream.take() {
                Some(stream) => following.follow(stream, &mut backoff).await,
                None => following.attach(self.runner).await,
            };
            match followed {
                Followed::Attached(attached) => stream = Some(attached),
                Followed::Over => return Placed::Over,
                Followed::Detached => return Placed::Detached,
                Followed::NeverStarted(why) => return never_started(&self.engine, following.attempt_id(), why).await,
                Followed::Requeued { attempt } => return Placed::Back(pause_after(attempt)),
                Followed::NotStored(why) => return Placed::Unsure(why),
                Followed::LinkLost(why) => {
                    let delay = backoff.delay();
                    following.mark_overdue().await;
                    tracing::info!(why, delay_ms = delay.as_millis() as u64, "lost the job's channel; attaching again");
                    if following.wait_or_stop(self.runner, delay).await {
                        return Placed::Detached;
                    }
                    if following.ended_elsewhere().await {
                        tracing::info!("the job was ended by somebody else");
                        return Placed::Over;
                    }
                }
            }
        }
    }
}

/// What the commit of a placement came to.
enum Intended {
    /// With the runner when this has spent it.
    Placed(Box<Job>, Option<Runner>),
    /// The runner takes no jobs any more; as it is stored, when the board does not know that it is spent.
    Refused(Option<Runner>),
}

/// Commits the placement, and the start of a job that needs no tree of files; `None` when the runner takes no jobs any more, which is decided in the same transaction.
///
/// Who the host is by now is stored with it: only its present boot can prove later that the job never started.
async fn intend(engine: &Dispatcher, id: JobId, known: &Known) -> Result<Option<Job>, ApplyError> {
    let (now_ms, closed) = (engine.0.clock.now_ms(), engine.clone());
    let one_off = known.runner.one_off.is_some();
    let (runner, hostname, host) = (known.runner.id, known.runner.hostname.clone(), known.identity.clone());
    let intended = engine
        .0
        .store
        .write(move |c| -> Result<Intended, ApplyError> {
            if closed.is_closed(runner) || runner_state(c, runner)? != Some(RunnerState::Enrolled) {
                return Ok(Intended::Refused(None));
            }
            let steps = [(&JobEvent::Assigned { runner }, now_ms), (&JobEvent::StartIntended, now_ms)];
            // A job with a tree of files is assigned only, until the tree is laid ready.
            let has_tree = job_find(c, id)?.is_some_and(|job| job.spec.workspace.is_some());
            let spent = match one_off {
                true => match spend(c, runner, id, now_ms)? {
                    Some(spent) => Some(spent),
                    None => return Ok(Intended::Refused(runner_by_id(c, runner)?)),
                },
                false => None,
            };
            let job = job_apply_each(c, id, Expected::Anything, if has_tree { &steps[..1] } else { &steps })?;
            job_attempt_insert(c, job.attempt_id(), (runner, &hostname), now_ms, &host)?;
            Ok(Intended::Placed(Box::new(job), spent))
        })
        .await?;
    let (job, changed) = match intended {
        Intended::Placed(job, spent) => (Some(*job), spent),
        Intended::Refused(stored) => (None, stored),
    };
    if let Some(changed) = changed {
        // Before the job's slot can be free again, or the board offers it once more.
        engine.record_changed(changed);
    }
    if let Some(job) = &job {
        let waited_ms = u64::try_from(now_ms - job.created_at_ms).unwrap_or(0);
        // A later placement has waited for something else.
        let waited = (job.attempt == 1).then(|| Duration::from_millis(waited_ms));
        engine.0.metrics.job_placed(waited);
        engine.job_changed(job);
    }
    Ok(job)
}

/// Puts a job with proof of no start back into the queue, or ends it after too many placements.
async fn never_started(engine: &Dispatcher, id: AttemptId, why: String) -> Placed {
    tracing::warn!(why, "the attempt never started");
    settle_unstarted(engine, id, recovery::never_started(id.attempt, why)).await
}

/// Ends a job that cannot be handed its secrets: nothing was sent, and no other placement would help. What may pass, it
/// waits for.
async fn not_opened(engine: &Dispatcher, id: AttemptId, error: &NotOpened) -> Placed {
    let why = told(error);
    if matches!(error, NotOpened::Store(_)) {
        return never_started(engine, id, why).await;
    }
    tracing::warn!(why, "nothing was started");
    settle_unstarted(engine, id, JobEvent::PlacementsExhausted { why }).await
}

/// Commits that an attempt never ran.
async fn settle_unstarted(engine: &Dispatcher, id: AttemptId, event: JobEvent) -> Placed {
    let now_ms = engine.0.clock.now_ms();
    let AttemptId { job: id, attempt } = id;
    let stored = engine.0.store.write(move |c| job_apply(c, id, Expected::Attempt(attempt), &event, now_ms)).await;
    match stored {
        Ok(job) => {
            engine.job_changed(&job);
            if job.state.is_finished() {
                return Placed::Over;
            }
            Placed::Back(pause_after(job.attempt))
        }
        Err(error) => Placed::after_fault(Step::NoStart, &error),
    }
}

/// How long a job waits before it is placed again after this attempt: 1 s doubled each time, with jitter.
pub(super) fn pause_after(attempt: u32) -> Duration {
    Backoff::new(RETRY_FIRST * 2_u32.pow(attempt.saturating_sub(1).min(6)), RETRY_CAP).delay()
}

/// The variables that every job sees, under those that its author set, and its secrets.
fn job_environment(job: &Job, known: &Known, handed: &Handed) -> BTreeMap<String, String> {
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
    environment.extend(handed.variables(&job.spec));
    environment
}

impl Dispatcher {
    /// Gives a queued job to the board, and to the queue's clock; a job in any other state is not. It is placed on one of
    /// the runners `avoid` only when no other is free.
    pub(super) fn queue(&self, job: &Job, avoid: Vec<RunnerId>) {
        if matches!(job.state, JobState::Queued) && !self.watch_queue_limit(job) {
            self.tell_board(BoardEvent::JobQueued(queued(job, avoid)));
        }
    }

    /// The runners on which earlier attempts of a job came to nothing.
    ///
    /// # Errors
    /// `Store` when they cannot be read.
    pub(super) async fn runners_tried(&self, job: &Job) -> Result<Vec<RunnerId>, DispatchError> {
        if job.attempt == 0 {
            return Ok(Vec::new());
        }
        let id = job.id;
        let attempts: Vec<AttemptRecord> = self.0.store.read(move |c| job_attempts(c, id)).await?;
        Ok(attempts.into_iter().map(|attempt| attempt.runner).collect())
    }
}

/// The job as the board sees it.
pub(super) fn queued(job: &Job, avoid: Vec<RunnerId>) -> QueuedJob {
    QueuedJob {
        id: job.id,
        filter: job.needs(),
        priority: job.priority,
        account: account(job),
        avoid,
        workspace: job.spec.workspace,
    }
}
