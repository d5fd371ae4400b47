//! Fan-outs as the API shows them, and what asks for one; and the bulk cancel.

use serde::{Deserialize, Serialize};

use super::api::SubmitJob;
use super::object::object;
use crate::fan_out::{FanOut, FanOutRow, FanOutStatus, LeftOut, Pace, RowNotRun, RowStanding, Share, halted};
use crate::filter::Filter;
use crate::ids::{FanOutId, JobId, RunnerId};
use crate::outcome::{NotRunReason, StopReason};
use crate::wire::time_text::rfc3339;

/// `POST /fan_outs`, and `POST /fan_outs/plan` for what would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitFanOut {
    /// As in `POST /jobs`; its filter chooses the runners.
    #[serde(deserialize_with = "object")]
    pub job: SubmitJob,
    #[serde(default)]
    pub canary: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<Share>,
}

impl SubmitFanOut {
    #[must_use]
    pub const fn pace(&self) -> Pace {
        Pace { canary: self.canary, batch: self.batch, max_failures: self.max_failures }
    }
}

/// `POST /fan_outs/:id/rerun`: what is absent is as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RerunFanOut {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<Share>,
}

/// The answer to `POST /fan_outs/plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FanOutPlanBody {
    /// Who would run it, in the order of the starts.
    pub hostnames: Vec<String>,
    pub left_out: Vec<LeftOut>,
    /// Rows under way at a time.
    pub batch: u32,
    /// Rows that may fail.
    pub max_failures: u32,
}

/// `GET /fan_outs/:id`, and, without rows, each element of `GET /fan_outs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FanOutBody {
    pub id: FanOutId,
    pub title: String,
    pub org: String,
    pub project: String,
    pub status: FanOutStatus,
    /// Why no further row is started; of one that has ended, why the others were not.
    pub halted: Option<RowNotRun>,
    pub filter: Filter,
    #[serde(flatten)]
    pub pace: Pace,
    pub repeats: Option<FanOutId>,
    pub created_at: String,
    pub created_by: String,
    pub cancelled_by: Option<String>,
    pub finished_at: Option<String>,
    pub counts: FanOutCounts,
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<FanOutRowBody>,
}

/// Rows by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FanOutCounts {
    pub rows: u32,
    /// Not started yet.
    pub waiting: u32,
    /// Their job has not ended.
    pub running: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub not_run: u32,
}

impl FanOutCounts {
    pub fn add(&mut self, standing: RowStanding) {
        self.rows += 1;
        *match standing {
            RowStanding::Idle => &mut self.waiting,
            RowStanding::Live => &mut self.running,
            RowStanding::Succeeded => &mut self.succeeded,
            RowStanding::Failed => &mut self.failed,
            RowStanding::NotRun => &mut self.not_run,
        } += 1;
    }
}

/// One runner's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FanOutRowBody {
    pub row: u32,
    pub hostname: String,
    pub runner: RunnerId,
    pub canary: bool,
    /// `waiting`, `not_run`, or the word of the job's state.
    #[cfg_attr(feature = "openapi", schemars(with = "crate::wire::schema::RowStateWord"))]
    pub state: String,
    pub job: Option<JobId>,
    pub exit_code: Option<i32>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub stop_reason: Option<StopReason>,
    /// Of a job that never ran.
    pub not_run_reason: Option<NotRunReason>,
    /// Of a row that got no job, or whose job could not begin any more.
    pub row_not_run: Option<RowNotRun>,
}

impl FanOutBody {
    /// Builds the answer with every row.
    #[must_use]
    pub fn of(fan_out: &FanOut, rows: &[FanOutRow]) -> Self {
        let mut counts = FanOutCounts::default();
        rows.iter().for_each(|row| counts.add(row.standing()));
        let canary = fan_out.pace.canary;
        Self {
            halted: halted(fan_out, rows).filter(|_| counts.waiting + counts.not_run > 0),
            rows: rows.iter().map(|row| FanOutRowBody::of(row, row.number < canary)).collect(),
            ..Self::without_rows(fan_out, counts)
        }
    }

    /// Builds what a list shows.
    #[must_use]
    pub fn without_rows(fan_out: &FanOut, counts: FanOutCounts) -> Self {
        Self {
            id: fan_out.id,
            title: fan_out.title.clone(),
            org: fan_out.org.clone(),
            project: fan_out.project.clone(),
            status: fan_out.end.map_or(FanOutStatus::Running, |end| end.status),
            halted: None,
            filter: fan_out.filter.clone(),
            pace: fan_out.pace,
            repeats: fan_out.repeats,
            created_at: rfc3339(fan_out.created.at_ms),
            created_by: fan_out.created.by.clone(),
            cancelled_by: fan_out.cancel.as_ref().map(|cancel| cancel.by.clone()),
            finished_at: fan_out.end.map(|end| rfc3339(end.at_ms)),
            counts,
            left_out: fan_out.left_out.clone(),
            rows: Vec::new(),
        }
    }
}

impl FanOutRowBody {
    fn of(row: &FanOutRow, canary: bool) -> Self {
        let job = row.job.as_ref();
        let word = if row.not_run.is_some() { "not_run" } else { "waiting" };
        Self {
            row: row.number,
            hostname: row.hostname.clone(),
            runner: row.runner,
            canary,
            state: job.map_or_else(|| word.to_owned(), |job| job.state.clone()),
            job: job.map(|job| job.id),
            exit_code: job.and_then(|job| job.exit_code),
            started_at: job.and_then(|job| job.started_at_ms).map(rfc3339),
            finished_at: job.and_then(|job| job.finished_at_ms).map(rfc3339),
            stop_reason: job.and_then(|job| job.stop_reason),
            not_run_reason: job.and_then(|job| job.not_run_reason),
            row_not_run: row.not_run,
        }
    }
}

/// `POST /jobs/cancel`: which unfinished jobs; what is absent does not choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelJobs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `queued`, `running`, or another word of `GET /jobs?state=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Runners: jobs that are on one of them, or that nobody else could take.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_any")]
    pub runners: Filter,
    /// Its jobs; and itself, when nothing else chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutId>,
    /// Only say which.
    #[serde(default)]
    pub dry_run: bool,
}

fn is_any(filter: &Filter) -> bool {
    *filter == Filter::default()
}

/// The answer to `POST /jobs/cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CancelledJobs {
    /// As they were, newest first.
    pub jobs: Vec<CancelledJob>,
    /// There are others: ask again.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CancelledJob {
    pub id: JobId,
    pub title: String,
    pub project: String,
    /// Before the request.
    #[cfg_attr(feature = "openapi", schemars(with = "crate::wire::schema::StateWord"))]
    pub state: String,
    pub runner: Option<String>,
}
