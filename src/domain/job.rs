//! A job, its states, and the one function by which it changes state.

mod concurrency;
mod spec;

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::ids::{AttemptId, JobId, PhaseRunId, RunnerId};
use crate::outcome::{LogSummary, LostEvidence, NotRunReason, Outcome, StopReason};
use crate::phase::{Phase, Stage};

pub use concurrency::{Concurrency, GROUP_LIMITS, check_group};
pub use spec::JobSpec;

/// Where a job belongs. An ad-hoc job has no phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOrigin {
    pub enterprise: String,
    pub org: String,
    /// Empty for an ad-hoc job without a project.
    pub project: String,
    pub stage: Option<Stage>,
    pub phase: Option<Phase>,
    pub phase_run: Option<PhaseRunId>,
    /// Row of the phase's matrix, from 0.
    pub row: u32,
    /// One line for people: `unit {"platform":["ubuntu"]}`, or the command.
    pub title: String,
}

/// Who asked for a stop, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {
    pub at_ms: i64,
    pub by: String,
    pub reason: StopReason,
}

/// What is known about a finished job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub outcome: Outcome,
    /// The runner of the last attempt; `None` when it was never placed.
    pub runner: Option<RunnerId>,
    pub started_at_ms: Option<i64>,
    pub exit_code: Option<i32>,
    pub stop_reason: Option<StopReason>,
    pub not_run_reason: Option<NotRunReason>,
    pub lost_evidence: Option<LostEvidence>,
    pub log: LogSummary,
}

/// What is known about a job now. Contact with its runner is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    Queued,
    /// A runner is chosen; nothing was sent.
    Assigned {
        runner: RunnerId,
    },
    /// The first byte may have left.
    Starting {
        runner: RunnerId,
    },
    /// The host said that the job runs.
    Running {
        runner: RunnerId,
        started_at_ms: i64,
    },
    Finished(Finished),
}

impl JobState {
    /// The word of the state; a finished job's is its outcome.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned { .. } => "assigned",
            Self::Starting { .. } => "starting",
            Self::Running { .. } => "running",
            Self::Finished(finished) => finished.outcome.as_str(),
        }
    }

    /// The runner on which the job is, was, or will be.
    #[must_use]
    pub const fn runner(&self) -> Option<RunnerId> {
        match self {
            Self::Queued => None,
            Self::Assigned { runner } | Self::Starting { runner } | Self::Running { runner, .. } => Some(*runner),
            Self::Finished(finished) => finished.runner,
        }
    }

    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self, Self::Finished(_))
    }
}

/// One command for one runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub origin: JobOrigin,
    pub spec: JobSpec,
    pub filter: Filter,
    /// Higher first; 0 unless asked for.
    pub priority: i32,
    pub state: JobState,
    /// Placements so far; the number fences.
    pub attempt: u32,
    /// Counts changes; every write is a compare-and-set on it.
    pub version: i64,
    pub created_at_ms: i64,
    /// When the present state was entered.
    pub state_at_ms: i64,
    pub cancel: Option<CancelRequest>,
    pub finished_at_ms: Option<i64>,
}

impl Job {
    /// The present placement's name on its runner.
    #[must_use]
    pub const fn attempt_id(&self) -> AttemptId {
        AttemptId { job: self.id, attempt: self.attempt }
    }

    /// Which runners may take it: what its author asks for, and git where it starts in a clone.
    #[must_use]
    pub fn needs(&self) -> Filter {
        self.spec.needs(&self.filter)
    }
}

/// What happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JobEvent {
    /// The board chose a runner.
    Assigned {
        runner: RunnerId,
    },
    /// The choice was given back before anything was sent.
    Unassigned {
        why: String,
    },
    /// The start is about to be sent; committed before the first byte.
    StartIntended,
    /// The host said `ok`.
    Started,
    /// The host proved that the attempt never ran (it refused, or was fenced).
    NeverStarted {
        why: String,
    },
    /// Too many placements were refused with proof.
    PlacementsExhausted {
        why: String,
    },
    /// A complete result arrived and the log is stored.
    Exited {
        exit_code: i32,
        stopped: Option<StopReason>,
        log: LogSummary,
    },
    /// Evidence that the result is gone.
    LostProven {
        evidence: LostEvidence,
        log: LogSummary,
    },
    /// Evidence that the attempt is lost, of a job that is then to be started again (`JobSpec::retry_on_lost`).
    RequeuedAfterLoss {
        evidence: LostEvidence,
        /// What is stored of the lost attempt's output.
        log: LogSummary,
    },
    CancelRequested {
        by: String,
        reason: StopReason,
    },
    /// The queue limit was reached.
    Expired,
    /// An admin gave the job up.
    Abandoned {
        by: String,
    },
}

impl JobEvent {
    /// The word under which the event is stored and logged.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Assigned { .. } => "assigned",
            Self::Unassigned { .. } => "unassigned",
            Self::StartIntended => "start_intended",
            Self::Started => "started",
            Self::NeverStarted { .. } => "never_started",
            Self::PlacementsExhausted { .. } => "placements_exhausted",
            Self::Exited { .. } => "exited",
            Self::LostProven { .. } => "lost_proven",
            Self::RequeuedAfterLoss { .. } => "requeued_after_loss",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::Expired => "expired",
            Self::Abandoned { .. } => "abandoned",
        }
    }
}

impl JobEvent {
    /// What proves that the attempt is lost, if the event says so.
    #[must_use]
    pub const fn lost_evidence(&self) -> Option<LostEvidence> {
        match self {
            Self::LostProven { evidence, .. } | Self::RequeuedAfterLoss { evidence, .. } => Some(*evidence),
            _ => None,
        }
    }
}

/// The event does not belong to the state; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {state} job cannot take the event {event}")]
pub struct IllegalTransition {
    pub state: &'static str,
    pub event: &'static str,
    /// The job has ended: no event changes it any more.
    pub ended: bool,
}

/// Returns the job after `event`, with its version one higher.
///
/// `now_ms` is unix time in milliseconds. A cancel request on a job that may have started only marks
/// it: the state changes when the host confirms. A marked job that comes back to the queue ends as
/// cancelled instead, so it is never started again.
///
/// # Errors
/// `IllegalTransition` when the state does not allow the event; a terminal state allows none.
pub fn transition(job: &Job, event: &JobEvent, now_ms: i64) -> Result<Job, IllegalTransition> {
    use JobEvent as E;
    use JobState as S;
    let mut next = job.clone();
    next.version += 1;
    let state = match (&job.state, event) {
        (S::Queued, E::Assigned { runner }) => {
            next.attempt += 1;
            S::Assigned { runner: *runner }
        }
        (S::Queued, E::CancelRequested { reason, .. }) => never_ran(Outcome::Cancelled, why_not_run(*reason), None),
        (S::Queued, E::Expired) => never_ran(Outcome::Expired, NotRunReason::QueueLimit, None),

        (S::Assigned { runner }, E::StartIntended) => S::Starting { runner: *runner },
        (S::Assigned { runner } | S::Starting { runner }, E::PlacementsExhausted { .. }) => {
            never_ran(Outcome::Failed, NotRunReason::PlacementsExhausted, Some(*runner))
        }
        (S::Assigned { .. }, E::Unassigned { .. }) | (S::Starting { .. }, E::NeverStarted { .. }) => {
            match &job.cancel {
                Some(cancel) => never_ran(Outcome::Cancelled, why_not_run(cancel.reason), None),
                None => S::Queued,
            }
        }

        (S::Starting { runner }, E::Started) => S::Running { runner: *runner, started_at_ms: now_ms },
        (S::Starting { .. } | S::Running { .. }, E::Exited { exit_code, stopped, log }) => {
            exited(&job.state, *exit_code, *stopped, job.cancel.as_ref(), *log)
        }
        (S::Starting { .. } | S::Running { .. }, E::LostProven { evidence, log }) => lost(&job.state, *evidence, *log),
        (S::Starting { .. } | S::Running { .. }, E::RequeuedAfterLoss { evidence, log }) => match &job.cancel {
            // It is not to run again, and may have run: what is known is that it is lost.
            Some(_) => lost(&job.state, *evidence, *log),
            None => S::Queued,
        },

        (S::Assigned { .. } | S::Starting { .. } | S::Running { .. }, E::CancelRequested { by, reason }) => {
            if next.cancel.is_none() {
                next.cancel = Some(CancelRequest { at_ms: now_ms, by: by.clone(), reason: *reason });
            }
            job.state.clone()
        }
        (S::Queued | S::Assigned { .. } | S::Starting { .. } | S::Running { .. }, E::Abandoned { .. }) => {
            S::Finished(ended(&job.state, Outcome::Abandoned, LogSummary { truncated: true, ..LogSummary::default() }))
        }

        (S::Queued | S::Assigned { .. } | S::Starting { .. } | S::Running { .. } | S::Finished(_), event) => {
            let ended = job.state.is_finished();
            return Err(IllegalTransition { state: job.state.name(), event: event.name(), ended });
        }
    };
    if state != job.state {
        next.state_at_ms = now_ms;
        next.finished_at_ms = state.is_finished().then_some(now_ms);
        next.state = state;
    }
    Ok(next)
}

const fn why_not_run(reason: StopReason) -> NotRunReason {
    match reason {
        StopReason::FailFast => NotRunReason::FailFast,
        StopReason::User
        | StopReason::RunLimit
        | StopReason::SilenceLimit
        | StopReason::Orphaned
        | StopReason::DiskFull
        | StopReason::OutputLimit => NotRunReason::CancelledWhileQueued,
    }
}

fn ended(state: &JobState, outcome: Outcome, log: LogSummary) -> Finished {
    let started_at_ms = match state {
        JobState::Running { started_at_ms, .. } => Some(*started_at_ms),
        _ => None,
    };
    Finished {
        outcome,
        runner: state.runner(),
        started_at_ms,
        exit_code: None,
        stop_reason: None,
        not_run_reason: None,
        lost_evidence: None,
        log,
    }
}

fn lost(state: &JobState, evidence: LostEvidence, log: LogSummary) -> JobState {
    JobState::Finished(Finished { lost_evidence: Some(evidence), ..ended(state, Outcome::Lost, log) })
}

fn never_ran(outcome: Outcome, reason: NotRunReason, runner: Option<RunnerId>) -> JobState {
    JobState::Finished(Finished {
        runner,
        not_run_reason: Some(reason),
        ..ended(&JobState::Queued, outcome, LogSummary::default())
    })
}

/// The host's word decides: a job that ended by itself before a cancel reached it keeps its own result.
fn exited(
    state: &JobState,
    exit_code: i32,
    stopped: Option<StopReason>,
    cancel: Option<&CancelRequest>,
    log: LogSummary,
) -> JobState {
    // The wrapper only knows "cancelled"; the request says why.
    let stop_reason = match (stopped, cancel) {
        (Some(StopReason::User), Some(request)) => Some(request.reason),
        (stopped, _) => stopped,
    };
    let outcome = match stop_reason {
        Some(StopReason::RunLimit | StopReason::SilenceLimit) => Outcome::TimedOut,
        Some(StopReason::User | StopReason::Orphaned | StopReason::FailFast) => Outcome::Cancelled,
        Some(StopReason::DiskFull | StopReason::OutputLimit) => Outcome::Failed,
        None if exit_code == 0 => Outcome::Succeeded,
        None => Outcome::Failed,
    };
    JobState::Finished(Finished { exit_code: Some(exit_code), stop_reason, ..ended(state, outcome, log) })
}
