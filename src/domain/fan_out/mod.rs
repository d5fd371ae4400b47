//! One command on every matching runner: a fan-out, what is stored of it, and what is to be done next.
//!
//! The runners that match when it is submitted are its *rows*, for good, in the order in which they are started. Each
//! gets one job, which only that runner can take. The first rows are *canaries*: nothing else starts before all of them
//! have succeeded. Never more rows than the *batch* have an unfinished job: a window that rolls on with each end, not
//! groups that wait for their slowest. After more failures than *max_failures* no further row starts; what runs goes on.

mod choose;
mod share;
mod steps;

use serde::{Deserialize, Serialize};

use crate::change::Signed;
use crate::closed::closed_list;
use crate::filter::Filter;
use crate::ids::{FanOutId, JobId, RunnerId};
use crate::job::JobSpec;
use crate::outcome::{NotRunReason, StopReason};
use crate::stage::JobStanding;

pub use choose::{Chosen, choose, choose_of};
pub use share::{BadShare, Share};
pub use steps::{START_MAX, Step, halted, steps};

/// Seconds that a row's job waits for its runner unless its author says otherwise: a host that is away must not keep a
/// fan-out open for ever.
pub const QUEUE_LIMIT_S: u32 = 3600;

closed_list!(
    /// How a fan-out stands. All but the first are final.
    FanOutStatus {
        Running = "running",
        /// Every row's job has succeeded.
        Succeeded = "succeeded",
        /// A row has failed, or was not run.
        Failed = "failed",
        /// Somebody ended it before every row had succeeded.
        Cancelled = "cancelled",
    }
);

closed_list!(
    /// Why a row got no job, or its job was ended before it began.
    RowNotRun {
        /// A canary has not succeeded.
        CanaryFailed = "canary_failed",
        /// More rows than allowed have failed.
        MaxFailures = "max_failures",
        /// Somebody cancelled the fan-out.
        Cancelled = "cancelled",
        /// Its runner is not in the inventory any more.
        RunnerDeleted = "runner_deleted",
    }
);

/// How quickly it goes on, as it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Rows that must succeed before the others start.
    #[serde(default)]
    pub canary: u32,
    /// Rows that may be under way at a time; absent: all of them. A part is rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Share>,
    /// Rows that may fail; absent: all of them. A part is rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<Share>,
}

impl Pace {
    /// Rows that may be under way at a time; at least 1.
    #[must_use]
    pub fn batch_of(&self, rows: u32) -> u32 {
        self.batch.map_or(rows, |batch| batch.rounded_up(rows)).max(1)
    }

    /// Rows that may fail.
    #[must_use]
    pub fn max_failures_of(&self, rows: u32) -> u32 {
        self.max_failures.map_or(rows, |most| most.rounded_down(rows))
    }
}

/// A runner that the filter names and that got no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LeftOut {
    pub hostname: String,
    /// `disabled`, `draining`, `pending`, `quarantined`, `deleted`.
    pub why: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanOutEnd {
    pub status: FanOutStatus,
    pub at_ms: i64,
}

/// What stays of a fan-out, and how it stands; its rows are beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOut {
    pub id: FanOutId,
    pub enterprise: String,
    pub org: String,
    /// Empty for one without a project.
    pub project: String,
    pub title: String,
    /// Of every row's job.
    pub spec: JobSpec,
    /// By which the runners were chosen.
    pub filter: Filter,
    pub priority: i32,
    pub pace: Pace,
    pub left_out: Vec<LeftOut>,
    /// Whose rows that had not succeeded it runs again.
    pub repeats: Option<FanOutId>,
    pub created: Signed,
    pub cancel: Option<Signed>,
    pub end: Option<FanOutEnd>,
    /// Counts changes of the record; every write is a compare-and-set on it.
    pub version: i64,
}

/// One runner's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOutRow {
    /// Counts from 0, in the order of the starts.
    pub number: u32,
    pub runner: RunnerId,
    /// Of the runner when it was chosen.
    pub hostname: String,
    pub job: Option<FanOutJob>,
    pub not_run: Option<RowNotRun>,
}

/// What is known about a row's job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOutJob {
    pub id: JobId,
    pub standing: JobStanding,
    /// The word of its state.
    pub state: String,
    /// Its end was asked for.
    pub is_marked: bool,
    pub exit_code: Option<i32>,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    pub stop_reason: Option<StopReason>,
    pub not_run_reason: Option<NotRunReason>,
}

impl FanOutRow {
    /// A row that was not started.
    #[must_use]
    pub const fn new(number: u32, runner: RunnerId, hostname: String) -> Self {
        Self { number, runner, hostname, job: None, not_run: None }
    }

    /// How the row stands.
    #[must_use]
    pub fn standing(&self) -> RowStanding {
        match (self.job.as_ref().map(|job| job.standing), self.not_run) {
            (None, None) => RowStanding::Idle,
            (None, Some(_)) => RowStanding::NotRun,
            (Some(job), _) => RowStanding::of(job),
        }
    }
}

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStanding {
    /// Not started yet.
    Idle,
    /// Its job has not ended.
    Live,
    Succeeded,
    /// Its job ended in any other way.
    Failed,
    NotRun,
}

impl RowStanding {
    /// Of a row that has a job.
    #[must_use]
    pub const fn of(job: JobStanding) -> Self {
        match job {
            JobStanding::Waiting | JobStanding::Running => Self::Live,
            JobStanding::Passed => Self::Succeeded,
            JobStanding::Failed | JobStanding::Lost => Self::Failed,
        }
    }
}
