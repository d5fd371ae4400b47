//! Limits of projects: how many jobs run at a time, and quotas. Those of groups come with their jobs.

use shuntyard_domain::board::{Account, BoardEvent};
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::output::OUTPUT_CAP_BYTES;
use shuntyard_domain::project_config::MAX_ROWS;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::ProjectLimits;
use shuntyard_domain::wire::time_text::rfc3339;

use super::engine_error::bad;
use super::{DispatchError, Dispatcher};
use crate::store::{
    Connection, QuotaRow, StoreError, job_find, project_limit_find, project_limit_list, project_limit_set,
    project_quotas_find, project_quotas_set,
};

/// More than any house runs at a time.
const RUNNING_MAX: u32 = 1_000_000;

/// Whose limits the job counts under.
pub(super) fn account(job: &Job) -> Account {
    Account {
        org: job.origin.org.clone(),
        project: job.origin.project.clone(),
        concurrency: job.spec.concurrency.clone(),
    }
}

impl Dispatcher {
    /// How many jobs of the project may run at a time, and which quotas it has of its own.
    ///
    /// # Errors
    /// `Store`
    pub async fn project_limits(
        &self,
        enterprise: Name,
        org: Name,
        project: Name,
    ) -> Result<ProjectLimits, DispatchError> {
        let read = self.0.store.read(move |c| {
            let running = project_limit_find(c, &enterprise, &org, &project)?;
            let own = project_quotas_find(c, (enterprise.as_str(), org.as_str(), project.as_str()))?;
            Ok::<_, StoreError>((running, own))
        });
        let (running, QuotaRow { unfinished_jobs, script_bytes, matrix_rows, job_log_bytes }) = read.await?;
        Ok(ProjectLimits { running, unfinished_jobs, script_bytes, matrix_rows, job_log_bytes })
    }

    /// Sets how many jobs of the project may run at a time, and its quotas. What runs and waits goes on; what may start starts.
    ///
    /// # Errors
    /// `BadRequest` for a number out of range, `Store`
    pub async fn set_project_limits(
        &self,
        enterprise: Name,
        org: Name,
        project: Name,
        limits: ProjectLimits,
    ) -> Result<ProjectLimits, DispatchError> {
        if let Some(running) = limits.running.filter(|running| *running > RUNNING_MAX) {
            return Err(bad("running", format!("{running} jobs are too many"), &["null", "0 to 1000000 jobs"]));
        }
        let ProjectLimits { unfinished_jobs, script_bytes, matrix_rows, job_log_bytes, .. } = limits;
        let quotas = QuotaRow { unfinished_jobs, script_bytes, matrix_rows, job_log_bytes };
        check_quotas(&quotas)?;
        let engine = self.clone();
        self.to_the_end(async move {
            // The board hears of limits in the order in which they are stored.
            let _turn = engine.0.limit_changes.lock().await;
            let now_ms = engine.0.clock.now_ms();
            let (told_org, told_project) = (org.to_string(), project.to_string());
            let set = move |c: &mut Connection| {
                project_limit_set(c, (&enterprise, &org, &project), limits.running, now_ms)?;
                project_quotas_set(c, (&enterprise, &org, &project), &quotas, now_ms)
            };
            engine.0.store.write(set).await?;
            tracing::info!(org = told_org, project = told_project, running = limits.running, "limit of a project set");
            engine.tell_board(BoardEvent::LimitChanged {
                org: told_org,
                project: told_project,
                running: limits.running,
            });
            engine.0.feed.limits_changed();
            Ok(limits)
        })
        .await
    }

    /// Tells the board the stored limits, before it hears of any job.
    ///
    /// # Errors
    /// `Store`
    pub(super) async fn load_limits(&self) -> Result<(), DispatchError> {
        for row in self.0.store.read(project_limit_list).await? {
            let running = Some(row.running);
            self.tell_board(BoardEvent::LimitChanged { org: row.org, project: row.project, running });
        }
        Ok(())
    }

    /// Says since when each job that holds a limit has its place.
    ///
    /// # Errors
    /// `Store`
    pub(super) async fn with_times_of_holders(&self, mut told: Explanation) -> Result<Explanation, DispatchError> {
        let reached = || told.limits.iter().filter(|limit| limit.reached);
        let holders: Vec<JobId> = reached().flat_map(|limit| limit.holders.iter().map(|holder| holder.job)).collect();
        if holders.is_empty() {
            return Ok(told);
        }
        let read = self.0.store.read(move |c| {
            let found = holders.iter().map(|job| job_find(c, *job)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StoreError>(found.into_iter().flatten().collect::<Vec<Job>>())
        });
        let jobs = read.await?;
        for holder in told.limits.iter_mut().flat_map(|limit| &mut limit.holders) {
            let job = jobs.iter().find(|job| job.id == holder.job);
            holder.since = job.and_then(placed_at_ms).map(rfc3339);
        }
        Ok(told)
    }
}

/// # Errors
/// `BadRequest` for the first that is out of range.
fn check_quotas(quotas: &QuotaRow) -> Result<(), DispatchError> {
    let whole = |value: Option<u32>| value.map(u64::from);
    for (key, value, least, most, unit) in [
        ("unfinished_jobs", whole(quotas.unfinished_jobs), 0, u64::from(RUNNING_MAX), "jobs"),
        ("script_bytes", whole(quotas.script_bytes), 1, 1 << 20, "bytes"),
        ("matrix_rows", whole(quotas.matrix_rows), 1, u64::from(MAX_ROWS), "rows"),
        ("job_log_bytes", quotas.job_log_bytes, *OUTPUT_CAP_BYTES.start(), *OUTPUT_CAP_BYTES.end(), "bytes"),
    ] {
        if let Some(found) = value.filter(|value| !(least..=most).contains(value)) {
            let message = format!("{found} {unit} are out of range");
            return Err(bad(key, message, &["null", &format!("{least} to {most} {unit}")]));
        }
    }
    Ok(())
}

/// When the job got its slot, in Unix milliseconds, as far as its record says.
fn placed_at_ms(job: &Job) -> Option<i64> {
    match job.state {
        JobState::Running { started_at_ms, .. } => Some(started_at_ms),
        JobState::Assigned { .. } | JobState::Starting { .. } => Some(job.state_at_ms),
        JobState::Queued | JobState::Finished(_) => None,
    }
}
