//! How jobs end, why they were stopped, and why they never ran: closed sets.

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;

closed_list!(
    /// How a job ended. Final.
    Outcome {
        /// Exit code 0.
        Succeeded = "succeeded",
        /// Any other exit code; or any at all when its output is known to be incomplete (`disk_full`, `output_limit`).
        Failed = "failed",
        /// Stopped on request, and the host confirmed it; or it was cancelled before it was sent.
        Cancelled = "cancelled",
        /// Stopped because a limit of the job was reached.
        TimedOut = "timed_out",
        /// It can be proved that the result is gone.
        Lost = "lost",
        /// It waited longer in the queue than it was allowed to.
        Expired = "expired",
        /// An admin gave it up while it may still be running.
        Abandoned = "abandoned",
    }
);

closed_list!(
    /// Why a running job was stopped, or why its end is not what its exit code says.
    StopReason {
        /// Somebody asked for it.
        User = "user",
        /// The job ran longer than its limit.
        RunLimit = "run_limit",
        /// The job wrote nothing for longer than its limit.
        SilenceLimit = "silence_limit",
        /// Nobody attached within the job's orphan grace.
        Orphaned = "orphaned",
        /// A sibling row failed and the phase is `fail_fast`.
        FailFast = "fail_fast",
        /// Nobody stopped it, but the disk of its spool was full: output may be missing, whatever its exit code says.
        DiskFull = "disk_full",
        /// It wrote more than a runner's spool may hold.
        OutputLimit = "output_limit",
    }
);

closed_list!(
    /// Why a job never ran.
    NotRunReason {
        /// Cancelled while it waited.
        CancelledWhileQueued = "cancelled_while_queued",
        /// Waited longer than its queue limit.
        QueueLimit = "queue_limit",
        /// Every placement was refused by its host, with proof of no start.
        PlacementsExhausted = "placements_exhausted",
        /// A sibling row failed first and the phase is `fail_fast`.
        FailFast = "fail_fast",
    }
);

closed_list!(
    /// The proof that an attempt is lost.
    LostEvidence {
        /// The host has booted since the attempt started.
        Rebooted = "rebooted",
        /// The runner's instance id is another: re-imaged, or its base directory was removed.
        InstanceChanged = "instance_changed",
        /// The spool of the attempt is gone although nobody acknowledged it.
        SpoolGone = "spool_gone",
        /// The wrapper died without writing a result (killed from outside).
        WrapperKilled = "wrapper_killed",
        /// The launcher died behind its claim, and nothing shows whether the job began. No proof that it did not: the
        /// side that waits for the job may outlive its launcher.
        LauncherDied = "launcher_died",
    }
);

closed_list!(
    /// Why a stored log is not the whole output. What is stored is its beginning, `log_bytes` long.
    TruncatedReason {
        /// The attempt is lost, and how much it wrote is not known, or cannot be had any more.
        AttemptLost = "attempt_lost",
        /// An admin gave the job up.
        Abandoned = "abandoned",
        /// The host told the end, but not all of the output that belongs to it, or other bytes.
        Incomplete = "incomplete",
    }
);

impl TruncatedReason {
    /// Of a job whose log is truncated.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Lost => Self::AttemptLost,
            Outcome::Abandoned => Self::Abandoned,
            Outcome::Succeeded | Outcome::Failed | Outcome::Cancelled | Outcome::TimedOut | Outcome::Expired => {
                Self::Incomplete
            }
        }
    }
}

/// What is known about a stored log when its job ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogSummary {
    pub bytes: u64,
    /// POSIX `cksum` of all bytes.
    pub cksum: u32,
    /// Set when the stored log is not the whole output.
    pub truncated: bool,
    /// Bytes from the middle that were received and summed, but not kept: the output was larger than its cap.
    #[serde(default)]
    pub elided_bytes: u64,
}

/// What a host has sent of an output: other bytes than those that are stored where secrets are masked, and as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    pub bytes: u64,
    /// POSIX `cksum` of all bytes.
    pub cksum: u32,
}

impl From<LogSummary> for Came {
    fn from(LogSummary { bytes, cksum, .. }: LogSummary) -> Self {
        Self { bytes, cksum }
    }
}
