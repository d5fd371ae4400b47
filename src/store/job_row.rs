//! A job as a row: what stays, and what a transition changes.

use diesel::prelude::*;

use shuntyard_domain::job::{CancelRequest, Finished, Job, JobOrigin, JobState};
use shuntyard_domain::outcome::{LogSummary, Outcome};

use super::error::{About, Row, StoreError};
use super::schema::jobs;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = jobs)]
pub(super) struct JobRow {
    id: String,
    enterprise: String,
    org: String,
    project: String,
    stage: Option<String>,
    phase: Option<String>,
    phase_run_id: Option<String>,
    matrix_row: i64,
    title: String,
    spec: String,
    filter: String,
    priority: i32,
    created_at_ms: i64,
    #[diesel(embed)]
    state: JobStateColumns,
}

/// The columns that a transition writes. `runner_hostname` is written by `job_apply` alone.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = jobs, treat_none_as_null = true)]
pub(super) struct JobStateColumns {
    state: String,
    state_at_ms: i64,
    attempt: i64,
    version: i64,
    runner_id: Option<String>,
    started_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
    cancel_at_ms: Option<i64>,
    cancel_by: Option<String>,
    cancel_reason: Option<String>,
    exit_code: Option<i32>,
    stop_reason: Option<String>,
    not_run_reason: Option<String>,
    lost_evidence: Option<String>,
    log_bytes: Option<i64>,
    log_cksum: Option<i64>,
    log_truncated: Option<bool>,
    log_elided_bytes: Option<i64>,
}

impl JobRow {
    pub fn new(about: About<'_>, job: &Job) -> Result<Self, StoreError> {
        let origin = &job.origin;
        Ok(Self {
            id: about.key.to_owned(),
            enterprise: origin.enterprise.clone(),
            org: origin.org.clone(),
            project: origin.project.clone(),
            stage: origin.stage.map(|stage| stage.to_string()),
            phase: origin.phase.map(|phase| phase.to_string()),
            phase_run_id: origin.phase_run.map(|run| run.to_string()),
            matrix_row: i64::from(origin.row),
            title: origin.title.clone(),
            spec: about.json("spec", &job.spec)?,
            filter: about.json("filter", &job.filter)?,
            priority: job.priority,
            created_at_ms: job.created_at_ms,
            state: JobStateColumns::new(about, job)?,
        })
    }

    pub fn into_job(self) -> Result<Job, StoreError> {
        let row = Row { table: "jobs", key: &self.id };
        let columns = &self.state;
        Ok(Job {
            id: row.parse("id", &self.id)?,
            origin: JobOrigin {
                stage: row.parse_opt("stage", self.stage.as_deref())?,
                phase: row.parse_opt("phase", self.phase.as_deref())?,
                phase_run: row.parse_opt("phase_run_id", self.phase_run_id.as_deref())?,
                row: row.number("matrix_row", self.matrix_row)?,
                enterprise: self.enterprise,
                org: self.org,
                project: self.project,
                title: self.title,
            },
            spec: row.json("spec", &self.spec)?,
            filter: row.json("filter", &self.filter)?,
            priority: self.priority,
            state: columns.state(row)?,
            attempt: row.number("attempt", columns.attempt)?,
            version: columns.version,
            created_at_ms: self.created_at_ms,
            state_at_ms: columns.state_at_ms,
            cancel: columns.cancel(row)?,
            finished_at_ms: columns.finished_at_ms,
        })
    }
}

impl JobStateColumns {
    pub fn new(about: About<'_>, job: &Job) -> Result<Self, StoreError> {
        let finished = match &job.state {
            JobState::Finished(finished) => Some(finished),
            JobState::Queued | JobState::Assigned { .. } | JobState::Starting { .. } | JobState::Running { .. } => None,
        };
        let started_at_ms = match &job.state {
            JobState::Running { started_at_ms, .. } => Some(*started_at_ms),
            JobState::Finished(finished) => finished.started_at_ms,
            JobState::Queued | JobState::Assigned { .. } | JobState::Starting { .. } => None,
        };
        let too_large = |_| StoreError::TooLarge { what: about.what, key: about.key.to_owned(), field: "log.bytes" };
        let cancel = job.cancel.as_ref();
        Ok(Self {
            state: job.state.name().to_owned(),
            state_at_ms: job.state_at_ms,
            attempt: i64::from(job.attempt),
            version: job.version,
            runner_id: job.state.runner().map(|runner| runner.to_string()),
            started_at_ms,
            finished_at_ms: job.finished_at_ms,
            cancel_at_ms: cancel.map(|request| request.at_ms),
            cancel_by: cancel.map(|request| request.by.clone()),
            cancel_reason: cancel.map(|request| request.reason.to_string()),
            exit_code: finished.and_then(|f| f.exit_code),
            stop_reason: finished.and_then(|f| f.stop_reason).map(|reason| reason.to_string()),
            not_run_reason: finished.and_then(|f| f.not_run_reason).map(|reason| reason.to_string()),
            lost_evidence: finished.and_then(|f| f.lost_evidence).map(|evidence| evidence.to_string()),
            log_bytes: finished.map(|f| i64::try_from(f.log.bytes)).transpose().map_err(too_large)?,
            log_cksum: finished.map(|f| i64::from(f.log.cksum)),
            log_truncated: finished.map(|f| f.log.truncated),
            log_elided_bytes: finished.map(|f| i64::try_from(f.log.elided_bytes)).transpose().map_err(too_large)?,
        })
    }

    fn state(&self, row: Row<'_>) -> Result<JobState, StoreError> {
        let runner = row.parse_opt("runner_id", self.runner_id.as_deref())?;
        let started_at_ms = self.started_at_ms;
        Ok(match self.state.as_str() {
            "queued" => JobState::Queued,
            "assigned" => JobState::Assigned { runner: row.present("runner_id", runner)? },
            "starting" => JobState::Starting { runner: row.present("runner_id", runner)? },
            "running" => JobState::Running {
                runner: row.present("runner_id", runner)?,
                started_at_ms: row.present("started_at_ms", started_at_ms)?,
            },
            outcome => JobState::Finished(Finished {
                outcome: row.parse::<Outcome>("state", outcome)?,
                runner,
                started_at_ms,
                exit_code: self.exit_code,
                stop_reason: row.parse_opt("stop_reason", self.stop_reason.as_deref())?,
                not_run_reason: row.parse_opt("not_run_reason", self.not_run_reason.as_deref())?,
                lost_evidence: row.parse_opt("lost_evidence", self.lost_evidence.as_deref())?,
                log: LogSummary {
                    bytes: row.number("log_bytes", row.present("log_bytes", self.log_bytes)?)?,
                    cksum: row.number("log_cksum", row.present("log_cksum", self.log_cksum)?)?,
                    truncated: row.present("log_truncated", self.log_truncated)?,
                    elided_bytes: row.number("log_elided_bytes", self.log_elided_bytes.unwrap_or(0))?,
                },
            }),
        })
    }

    fn cancel(&self, row: Row<'_>) -> Result<Option<CancelRequest>, StoreError> {
        let Some(at_ms) = self.cancel_at_ms else { return Ok(None) };
        let reason = row.present("cancel_reason", self.cancel_reason.as_deref())?;
        Ok(Some(CancelRequest {
            at_ms,
            by: row.present("cancel_by", self.cancel_by.clone())?,
            reason: row.parse("cancel_reason", reason)?,
        }))
    }
}
