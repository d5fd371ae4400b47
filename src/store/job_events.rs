//! What happened to a job, in order; appended by `job_insert` and `job_apply`, never changed.

use diesel::prelude::*;
use diesel::result::QueryResult;

use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::JobEvent;

use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::job_events;

/// An entry of a job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedEvent {
    /// The job was inserted.
    Submitted,
    /// The job went through `job_apply`.
    Applied(JobEvent),
}

impl RecordedEvent {
    /// The word under which the event is stored and shown.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Applied(event) => event.name(),
        }
    }
}

/// One event with its place in the job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEventRow {
    /// Counts the job's events from 1, without gaps.
    pub seq: u32,
    pub at_ms: i64,
    pub event: RecordedEvent,
    /// The job's version after the event.
    pub version: i64,
}

/// Returns the job's history, oldest first; empty when there is no such job.
pub fn job_events(c: &mut StoreConnection, id: JobId) -> Result<Vec<JobEventRow>, StoreError> {
    let key = id.to_string();
    let rows: Vec<(i64, i64, Option<String>)> = job_events::table
        .filter(job_events::job_id.eq(&key))
        .order(job_events::version.asc())
        .select((job_events::version, job_events::at_ms, job_events::body))
        .load(c)
        .map_err(|source| About { what: "events of job", key: &key }.find(source))?;
    let row = Row { table: "job_events", key: &key };
    let entry = |(seq, (version, at_ms, body)): (u32, (i64, i64, Option<String>))| {
        let event = match body {
            None => RecordedEvent::Submitted,
            Some(body) => RecordedEvent::Applied(row.json("body", &body)?),
        };
        Ok(JobEventRow { seq, at_ms, event, version })
    };
    (1..).zip(rows).map(entry).collect()
}

pub(super) fn job_event_insert(
    c: &mut StoreConnection,
    job: &str,
    version: i64,
    at_ms: i64,
    kind: &str,
    body: Option<&str>,
) -> QueryResult<()> {
    let values = (
        job_events::job_id.eq(job),
        job_events::version.eq(version),
        job_events::at_ms.eq(at_ms),
        job_events::kind.eq(kind),
        job_events::body.eq(body),
    );
    Cached(diesel::insert_into(job_events::table).values(values)).execute(c).map(|_| ())
}
