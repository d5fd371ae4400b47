//! The one door through which a job changes state.

use diesel::prelude::*;
use diesel::result::QueryResult;

use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{IllegalTransition, Job, JobEvent, transition};

use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::job_events::job_event_insert;
use super::job_row::JobStateColumns;
use super::jobs::{JOB, job_find};
use super::schema::{jobs, runners};

/// Why a job did not change; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("there is no job `{0}`")]
    NotFound(JobId),
    /// Somebody else changed the job first: look again and decide anew.
    #[error("the job has version {found}, not {expected}")]
    Raced { expected: i64, found: i64 },
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the job through `event` and returns it as it is after.
///
/// The new state and the event are written together, or neither. `expected_version` is the version on which
/// the caller decided; `None` means whatever is there now. `now_ms` is unix time in milliseconds.
///
/// # Errors
/// `Raced` when the version is another one, at first sight or when writing; `Illegal` when the state does not
/// allow the event.
pub fn job_apply(
    c: &mut StoreConnection,
    id: JobId,
    expected_version: Option<i64>,
    event: &JobEvent,
    now_ms: i64,
) -> Result<Job, ApplyError> {
    job_apply_each(c, id, expected_version, &[(event, now_ms)])
}

/// As `job_apply` with several events, each with its time: all or none, and the job's row is written once.
///
/// # Errors
/// As `job_apply`.
pub fn job_apply_each(
    c: &mut StoreConnection,
    id: JobId,
    expected_version: Option<i64>,
    events: &[(&JobEvent, i64)],
) -> Result<Job, ApplyError> {
    let job = job_find(c, id)?.ok_or(ApplyError::NotFound(id))?;
    apply(c, job, expected_version, events)
}

/// As `job_apply_each` with the events that `choose` gives for the job as it is, all at one time.
///
/// # Errors
/// As `job_apply`.
pub fn job_apply_all(
    c: &mut StoreConnection,
    id: JobId,
    choose: impl FnOnce(&Job) -> Vec<JobEvent>,
    now_ms: i64,
) -> Result<Job, ApplyError> {
    let job = job_find(c, id)?.ok_or(ApplyError::NotFound(id))?;
    let events = choose(&job);
    apply(c, job, None, &events.iter().map(|event| (event, now_ms)).collect::<Vec<_>>())
}

fn apply(
    c: &mut StoreConnection,
    job: Job,
    expected_version: Option<i64>,
    events: &[(&JobEvent, i64)],
) -> Result<Job, ApplyError> {
    let id = job.id;
    if let Some(expected) = expected_version
        && expected != job.version
    {
        return Err(ApplyError::Raced { expected, found: job.version });
    }
    let key = id.to_string();
    let about = About { what: JOB, key: &key };
    let mut next = job.clone();
    let mut entries = Vec::with_capacity(events.len());
    for (event, at_ms) in events {
        next = transition(&next, event, *at_ms)?;
        entries.push((next.version, *at_ms, event.name(), about.json("event", event)?));
    }
    let columns = JobStateColumns::new(about, &next)?;
    let moved = job.state.runner() != next.state.runner();
    let written = c
        .transaction(|c| {
            let hostname = if moved { Some(hostname_of(c, next.state.runner())?) } else { None };
            let target = jobs::table.filter(jobs::id.eq(&key)).filter(jobs::version.eq(job.version));
            let changes = (columns, hostname.map(|hostname| jobs::runner_hostname.eq(hostname)));
            if Cached(diesel::update(target).set(changes)).execute(c)? == 0 {
                return Ok(false);
            }
            for (version, at_ms, name, body) in &entries {
                job_event_insert(c, &key, *version, *at_ms, name, Some(body))?;
            }
            Ok(true)
        })
        .map_err(|source| about.update(source))?;
    if written {
        return Ok(next);
    }
    let found = job_find(c, id)?.ok_or(ApplyError::NotFound(id))?.version;
    Err(ApplyError::Raced { expected: job.version, found })
}

/// The runner's name now, kept with the job for the time after the runner was deleted.
fn hostname_of(c: &mut StoreConnection, runner: Option<RunnerId>) -> QueryResult<Option<String>> {
    match runner {
        Some(runner) => runners::table.find(runner.to_string()).select(runners::hostname).first(c).optional(),
        None => Ok(None),
    }
}
