//! Jobs: inserted whole, found, listed. Their state changes in `job_apply` only.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::result::QueryResult;
use serde_json::json;

use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobSpec};

use super::audit::{Changed, audit_note};
use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::fan_outs::fan_out_workspaces;
use super::job_events::{RecordedEvent, job_event_insert};
use super::job_row::JobRow;
use super::outbox;
use super::project_usage;
use super::schema::jobs;

pub(super) const JOB: &str = "job";

/// Inserts a job together with its first event, `submitted`, at the job's own version and creation time.
///
/// The phase run that it names must be there. Both rows or none, also within a larger transaction.
///
/// # Errors
/// `Conflict` when the id is taken.
pub fn job_insert(c: &mut StoreConnection, job: &Job) -> Result<(), StoreError> {
    let key = job.id.to_string();
    let about = About { what: JOB, key: &key };
    let row = JobRow::new(about, job)?;
    let submitted = RecordedEvent::Submitted;
    c.transaction(|c| {
        Cached(diesel::insert_into(jobs::table).values(row)).execute(c)?;
        job_event_insert(c, &key, job.version, job.created_at_ms, submitted.name(), None)
    })
    .map_err(|source| about.insert(source))?;
    project_usage::count_inserted(c, &job.origin)?;
    audit_note(c, "job.submit", || {
        let of = &job.origin;
        let after = json!({"title": of.title, "org": of.org, "project": of.project, "phase": of.phase});
        Changed::new(format!("job {key}"), None, Some(after))
    })?;
    outbox::job_moved(c, None, &job.state, job, job.created_at_ms)
}

/// Returns the job as it is now.
pub fn job_find(c: &mut StoreConnection, id: JobId) -> Result<Option<Job>, StoreError> {
    let key = id.to_string();
    let row = jobs::table.find(&key).select(JobRow::as_select()).first(c).optional();
    row.map_err(|source| About { what: JOB, key: &key }.find(source))?.map(JobRow::into_job).transpose()
}

/// Returns every job that has not ended: by priority, highest first, then oldest first.
///
/// Read in the order of an index, so a million of them cost a million rows and no sorting.
pub fn jobs_unfinished(c: &mut StoreConnection) -> Result<Vec<Job>, StoreError> {
    let list = |source| StoreError::List { what: "unfinished jobs", source };
    let query = jobs::table
        .filter(jobs::finished_at_ms.is_null())
        .order((jobs::priority.desc(), jobs::id.asc()))
        .select(JobRow::as_select());
    let mut found = Vec::new();
    for row in query.load_iter(c).map_err(list)? {
        found.push(row.map_err(list)?.into_job()?);
    }
    Ok(found)
}

/// The workspaces of jobs and fan-outs that have not ended; one comes more than once when several jobs name it.
///
/// # Errors
/// `List` when the database refuses; `StoreError` when a job's description cannot be read.
pub fn workspaces_in_use(c: &mut StoreConnection) -> Result<Vec<Digest>, StoreError> {
    let list = |source| StoreError::List { what: "workspaces in use", source };
    let named = jobs::table
        .filter(jobs::finished_at_ms.is_null())
        .filter(jobs::spec.like("%\"workspace\":\"%"))
        .select((jobs::id, jobs::spec));
    let mut found = fan_out_workspaces(c)?;
    for named in named.load_iter::<(String, String), _>(c).map_err(list)? {
        let (id, spec) = named.map_err(list)?;
        let spec: JobSpec = Row { table: "jobs", key: &id }.json("spec", &spec)?;
        found.extend(spec.workspace);
    }
    Ok(found)
}

/// The states of a job that has been given to a runner and has not ended.
pub(super) const PLACED: [&str; 3] = ["assigned", "starting", "running"];

/// Returns every job that has been given to a runner and has not ended; oldest first.
///
/// Asked by state, so that the index yields as many rows as slots are taken, however long the queue is.
pub fn jobs_placed(c: &mut StoreConnection) -> Result<Vec<Job>, StoreError> {
    let rows: QueryResult<Vec<JobRow>> =
        jobs::table.filter(jobs::state.eq_any(PLACED)).select(JobRow::as_select()).load(c);
    placed(rows)
}

/// Counts the jobs that have been given to a runner and have not ended, by the word of their state.
pub fn jobs_placed_by_state(c: &mut StoreConnection) -> Result<Vec<(&'static str, usize)>, StoreError> {
    let counted = PLACED.iter().map(|state| {
        let counted: i64 = jobs::table.filter(jobs::state.eq(*state)).count().get_result(c)?;
        Ok((*state, usize::try_from(counted).unwrap_or(0)))
    });
    counted.collect::<QueryResult<_>>().map_err(|source| StoreError::List { what: "placed jobs", source })
}

/// Returns the jobs that these runners have been given and that have not ended; oldest first.
pub fn jobs_on_runners(c: &mut StoreConnection, runners: &[RunnerId]) -> Result<Vec<Job>, StoreError> {
    let runners: Vec<String> = runners.iter().map(RunnerId::to_string).collect();
    let rows: QueryResult<Vec<JobRow>> = jobs::table
        .filter(jobs::runner_id.eq_any(runners))
        .filter(jobs::state.eq_any(PLACED))
        .select(JobRow::as_select())
        .load(c);
    placed(rows)
}

fn placed(rows: QueryResult<Vec<JobRow>>) -> Result<Vec<Job>, StoreError> {
    let rows = rows.map_err(|source| StoreError::List { what: "placed jobs", source })?;
    let mut jobs = rows.into_iter().map(JobRow::into_job).collect::<Result<Vec<_>, _>>()?;
    // Here and not in SQL: the order would let SQLite choose the index of the whole queue.
    jobs.sort_by_key(|job| job.id);
    Ok(jobs)
}

/// Returns the host names that the jobs' runners had when the jobs were placed, deleted runners included.
///
/// A job without a runner, or with one that the inventory did not know, is left out.
pub fn jobs_runner_hostnames(c: &mut StoreConnection, ids: &[JobId]) -> Result<BTreeMap<JobId, String>, StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, Option<String>)> = jobs::table
        .filter(jobs::id.eq_any(keys))
        .select((jobs::id, jobs::runner_hostname))
        .load(c)
        .map_err(|source| StoreError::List { what: "runners of jobs", source })?;
    rows.into_iter()
        .filter_map(|(id, hostname)| Some((id, hostname?)))
        .map(|(id, hostname)| Ok((Row { table: "jobs", key: &id }.parse("id", &id)?, hostname)))
        .collect()
}
