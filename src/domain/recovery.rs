//! What follows from a host's word, or from what is stored after a restart: pure decisions.
//!
//! The engine asks hosts and commits; what an answer means is decided here, so that `tests/simulation.rs` drives the
//! very same decisions through crashes, lost links and reboots. Time is no argument of any of them.

use crate::attempt::Boot;
use crate::ids::RunnerId;
use crate::job::{Job, JobEvent, JobState};
use crate::outcome::{Came, LogSummary, LostEvidence};
use crate::wire::control::{ErrCode, LostWhy, ResultRecord, SpoolState};

/// Placements before a job ends: as failed when every one had a proof of no start, as lost after the last one was lost.
pub const MAX_PLACEMENTS: u32 = 5;
/// How often the rest of the output is asked for again after the end line, before the log is called truncated.
pub const MAX_TAILS_OVERDUE: u32 = 2;

/// What is done with a job that is looked at again: after a restart, a failed commit, a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Nothing runs: it waits for a runner.
    Queue,
    /// Nothing was sent: the choice is given back, and it waits again.
    Unassign,
    /// It may run: its host is asked.
    Follow,
    /// It has ended, or it is somebody else's.
    LetGo,
}

/// Decides for who looks after the job's place on `runner`.
#[must_use]
pub fn resume(state: &JobState, runner: RunnerId) -> Resume {
    match state {
        JobState::Queued => Resume::Queue,
        // The intent is committed before the first byte.
        JobState::Assigned { runner: its } if *its == runner => Resume::Unassign,
        JobState::Starting { runner: its } | JobState::Running { runner: its, .. } if *its == runner => Resume::Follow,
        JobState::Assigned { .. } | JobState::Starting { .. } | JobState::Running { .. } | JobState::Finished(_) => {
            Resume::LetGo
        }
    }
}

/// Something that is committed for a placed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The placement and the intent to start.
    Intent,
    /// The host's word that the job runs.
    Running,
    /// The end of the attempt.
    End,
    /// The proof that the attempt never ran.
    NoStart,
    /// The choice of the runner is given back.
    Unassign,
}

/// Why a step is not known to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It was not written: the job has ended.
    Ended,
    /// It was not written: somebody else has changed the job, or taken it on to another attempt.
    Changed,
    /// It was not written, or it was: the store did not say.
    Unknown,
}

/// What the job's task does after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFault {
    /// The job is not its business any more; the slot is free.
    LetGo,
    /// It goes on from what is stored, as after a restart; the slot stays taken.
    AskStore,
}

/// Decides how a task goes on when `step` is not known to be stored.
#[must_use]
pub const fn after_fault(step: Step, fault: Fault) -> AfterFault {
    match (step, fault) {
        (_, Fault::Ended) => AfterFault::LetGo,
        // Somebody else has placed it.
        (Step::Intent, Fault::Changed) => AfterFault::LetGo,
        // An end that is not stored is not given up for another's word: the host still has it.
        (Step::Running | Step::End | Step::NoStart | Step::Unassign, Fault::Changed) => AfterFault::AskStore,
        (_, Fault::Unknown) => AfterFault::AskStore,
    }
}

/// How an attempt ended, as its host says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Result(ResultRecord),
    /// No result, and never one.
    Lost {
        why: LostWhy,
        size: u64,
    },
}

impl End {
    /// Bytes of the whole output.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::Result(record) => record.size,
            Self::Lost { size, .. } => *size,
        }
    }

    /// Tells whether the end may be stored now: the log is as long as the spool, or the host has said the end
    /// `tails_overdue` times without the rest.
    #[must_use]
    pub const fn may_settle(&self, stored_bytes: u64, tails_overdue: u32) -> bool {
        stored_bytes >= self.size() || tails_overdue > MAX_TAILS_OVERDUE
    }

    /// The event to commit; `stored` is what our log holds, synced, and `came` what its host has sent for it.
    #[must_use]
    pub fn event(&self, job: &Job, stored: LogSummary, came: Came) -> JobEvent {
        match *self {
            Self::Result(record) => JobEvent::Exited {
                exit_code: record.exit_code,
                stopped: record.stopped,
                log: LogSummary { truncated: came.bytes != record.size || came.cksum != record.cksum, ..stored },
            },
            Self::Lost { why, size } => {
                let evidence = match why {
                    LostWhy::Reboot => LostEvidence::Rebooted,
                    LostWhy::Killed => LostEvidence::WrapperKilled,
                    LostWhy::NoStart => LostEvidence::LauncherDied,
                };
                loss(job, evidence, LogSummary { truncated: came.bytes != size, ..stored })
            }
        }
    }
}

/// Who sent a refusal, and what is known before it.
#[derive(Clone, Copy, Debug)]
pub struct RefusedOn {
    /// The channel is the one on which the start was sent.
    pub start_channel: bool,
    /// The host has said `ok` for this attempt, stored or not.
    pub start_confirmed: bool,
}

/// Tells whether a refusal proves that the attempt never ran and never will.
#[must_use]
pub const fn refusal_proves_no_start(state: &JobState, on: RefusedOn, code: ErrCode) -> bool {
    on.start_channel && !on.start_confirmed && code.proves_no_start() && matches!(state, JobState::Starting { .. })
}

/// Whether the base directory that answers is the one in which the attempt was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Same,
    Another,
    /// It cannot be read just now, which proves nothing.
    Unreadable,
}

/// Compares the instance id of the runner's record with the one that answers now; `None`: it cannot be read.
#[must_use]
pub fn identity(recorded: &str, shown: Option<&str>) -> Identity {
    match shown {
        None => Identity::Unreadable,
        Some(shown) if shown == recorded => Identity::Same,
        Some(_) => Identity::Another,
    }
}

/// What a fence was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceWord {
    /// The attempt can never start any more.
    Fenced,
    /// There is a claim, and no files behind it.
    Removed,
    /// The attempt exists.
    Exists(SpoolState),
}

/// What is known about an attempt that its host does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It never ran and never will.
    NeverStarted,
    Lost(LostEvidence),
    /// Nothing is proved: the host is asked again.
    Undecided,
}

/// What follows from the identity alone; `None`: the same base directory answers, and is to be fenced.
///
/// A fence in another base directory would prove nothing about what ran from the earlier one.
#[must_use]
pub const fn judge_identity(identity: Identity) -> Option<Verdict> {
    match identity {
        Identity::Another => Some(Verdict::Lost(LostEvidence::InstanceChanged)),
        Identity::Unreadable => Some(Verdict::Undecided),
        Identity::Same => None,
    }
}

/// What follows from the answer to a fence in the same base directory; `boot`: since the intent to start.
///
/// A fence that holds proves that there was no claim. That is a proof of no start only in the boot of the intent: a
/// claim is written before anything runs, but not synced, so that a host which lost power a moment later has none
/// although the job ran.
#[must_use]
pub const fn judge_fence(state: &JobState, word: FenceWord, boot: Boot) -> Verdict {
    match (state, word, boot) {
        (_, FenceWord::Exists(_), _) => Verdict::Undecided,
        (JobState::Starting { .. }, FenceWord::Fenced, Boot::Same) => Verdict::NeverStarted,
        (_, FenceWord::Fenced | FenceWord::Removed, Boot::Another) => Verdict::Lost(LostEvidence::Rebooted),
        // It may have run, and nothing tells why its files are gone.
        (_, FenceWord::Fenced | FenceWord::Removed, Boot::Same | Boot::Unknown) => {
            Verdict::Lost(LostEvidence::SpoolGone)
        }
    }
}

/// The event for evidence of loss that no end line of the host has told: how much is missing is not known.
#[must_use]
pub const fn lost(job: &Job, evidence: LostEvidence, stored: LogSummary) -> JobEvent {
    loss(job, evidence, LogSummary { truncated: true, ..stored })
}

/// The job ends by its loss, or waits for another start when its author said so.
const fn loss(job: &Job, evidence: LostEvidence, log: LogSummary) -> JobEvent {
    if job.spec.retry_on_lost && job.attempt < MAX_PLACEMENTS {
        JobEvent::RequeuedAfterLoss { evidence, log }
    } else {
        JobEvent::LostProven { evidence, log }
    }
}

/// The event for a proof of no start: back to the queue, or the end after too many placements (`attempt` counts them).
#[must_use]
pub const fn never_started(attempt: u32, why: String) -> JobEvent {
    if attempt >= MAX_PLACEMENTS { JobEvent::PlacementsExhausted { why } } else { JobEvent::NeverStarted { why } }
}

/// Tells whether a host may remove an attempt's files. A job that is not stored here is somebody else's.
#[must_use]
pub fn spool_may_go(job: Option<&Job>) -> bool {
    job.is_some_and(|job| job.state.is_finished())
}
