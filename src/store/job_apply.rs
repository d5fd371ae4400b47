//! The one door through which a job changes state.

use diesel::prelude::*;
use diesel::result::QueryResult;
use serde_json::json;

use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{IllegalTransition, Job, JobEvent, JobState, transition};
use shuntyard_domain::recovery::Fault;

use super::audit::{Changed, audit_note};
use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::job_events::job_event_insert;
use super::job_row::JobStateColumns;
use super::job_secrets::job_secrets_delete;
use super::jobs::{JOB, job_find};
use super::outbox;
use super::project_usage;
use super::schema::{jobs, runners};

/// Why a job did not change; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("there is no job `{0}`")]
    NotFound(JobId),
    /// Somebody else changed the job first: look again and decide anew.
    #[error("the job has version {found}, not {expected}")]
    Raced { expected: i64, found: i64 },
    /// The event speaks about another placement than the job's last one.
    #[error("the event is about attempt {of}, and the job has attempt {found}")]
    Superseded { of: u32, found: u32 },
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApplyError {
    /// What the error says about the job, for `recovery::after_fault`.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NotFound(_) | Self::Illegal(IllegalTransition { ended: true, .. }) => Fault::Ended,
            Self::Superseded { .. } | Self::Illegal(_) => Fault::Changed,
            Self::Raced { .. } | Self::Store(_) => Fault::Unknown,
        }
    }
}

/// The job on which the caller decided: one that has moved on meanwhile is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there now.
    Anything,
    /// This version exactly.
    Version(i64),
    /// This placement: a host's word about an earlier one must not change a later one.
    Attempt(u32),
}

impl Expected {
    const fn check(self, job: &Job) -> Result<(), ApplyError> {
        match self {
            Self::Version(expected) if expected != job.version => {
                Err(ApplyError::Raced { expected, found: job.version })
            }
            Self::Attempt(of) if of != job.attempt => Err(ApplyError::Superseded { of, found: job.attempt }),
            Self::Anything | Self::Version(_) | Self::Attempt(_) => Ok(()),
        }
    }
}

/// Takes the job through `event` and returns it as it is after.
///
/// The new state and the event are written together, or neither. `now_ms` is unix time in milliseconds.
///
/// # Errors
/// `Raced` when the version is another one, at first sight or when writing; `Superseded` when the attempt is; `Illegal` when the state does not
/// allow the event.
pub fn job_apply(
    c: &mut StoreConnection,
    id: JobId,
    expected: Expected,
    event: &JobEvent,
    now_ms: i64,
) -> Result<Job, ApplyError> {
    job_apply_each(c, id, expected, &[(event, now_ms)])
}

/// As `job_apply` with several events, each with its time: all or none, and the job's row is written once.
///
/// # Errors
/// As `job_apply`.
pub fn job_apply_each(
    c: &mut StoreConnection,
    id: JobId,
    expected: Expected,
    events: &[(&JobEvent, i64)],
) -> Result<Job, ApplyError> {
    let job = job_find(c, id)?.ok_or(ApplyError::NotFound(id))?;
    expected.check(&job)?;
    let key = id.to_string();
    let about = About { what: JOB, key: &key };
    let mut next = job.clone();
    let mut entries = Vec::with_capacity(events.len());
    let mut steps = Vec::with_capacity(events.len());
    for (event, at_ms) in events {
        let moved = transition(&next, event, *at_ms)?;
        steps.push((next.state, moved.state.clone(), *at_ms));
        next = moved;
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
        if next.state.is_finished() && !job.state.is_finished() {
            project_usage::count_ended(c, &next.origin)?;
        }
        for (before, after, at_ms) in steps {
            outbox::job_moved(c, Some(&before), &after, &next, at_ms)?;
        }
        if next.state.is_finished() && next.spec.may_hold_secrets() {
            job_secrets_delete(c, id)?;
        }
        for (event, _) in events {
            audit_note(c, &format!("job.{}", event.name()), || {
                let state = |state: &JobState| Some(json!({"state": state.name()}));
                Changed::new(format!("job {id}"), state(&job.state), state(&next.state))
            })?;
        }
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
