//! Jobs: inserted whole, found, listed. Their state changes in `job_apply` only.

use std::collections::BTreeMap;

use diesel::prelude::*;

use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::Job;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::job_events::{RecordedEvent, job_event_insert};
use super::job_row::JobRow;
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
        diesel::insert_into(jobs::table).values(row).execute(c)?;
        job_event_insert(c, &key, job.version, job.created_at_ms, submitted.name(), None)
    })
    .map_err(|source| about.insert(source))
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

/// Returns every job that has been given to a runner and has not ended; oldest first.
pub fn jobs_placed(c: &mut StoreConnection) -> Result<Vec<Job>, StoreError> {
    let rows: Vec<JobRow> = jobs::table
        .filter(jobs::finished_at_ms.is_null())
        .filter(jobs::runner_id.is_not_null())
        .order(jobs::id.asc())
        .select(JobRow::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "placed jobs", source })?;
    rows.into_iter().map(JobRow::into_job).collect()
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
