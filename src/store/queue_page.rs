//! The queue as it is served.

use std::cmp::Reverse;

use diesel::prelude::*;
use shuntyard_domain::access::Place;
use shuntyard_domain::job::Job;

use super::connection::StoreConnection;
use super::error::StoreError;
use super::job_row::JobRow;
use super::job_spans::{JobCounts, job_counts};
use super::jobs::PLACED;
use super::schema::jobs;
use super::within::within;

/// A part of the queue.
#[derive(Clone, Debug, Default)]
pub struct QueueQuery {
    /// Only what lies in these places.
    pub within: Option<Vec<Place>>,
    /// Waiting jobs that are left out at the front.
    pub skip: u32,
    /// Of each kind.
    pub limit: u32,
}

/// What it holds.
#[derive(Debug)]
pub struct QueuePage {
    /// Of the whole queue, as far as the reader sees it.
    pub counts: JobCounts,
    /// Jobs that have been given to a runner, the newest first.
    pub placed: Vec<Job>,
    /// By priority, then by age.
    pub waiting: Vec<Job>,
}

/// Returns a part of the queue.
///
/// # Errors
/// `StoreError::List`
pub fn queue_page(c: &mut StoreConnection, query: &QueueQuery) -> Result<QueuePage, StoreError> {
    let (within, limit) = (query.within.as_deref(), i64::from(query.limit));
    let mut placed = Vec::new();
    // One state at a time: each is read off an index in this order, however long the queue and the history are.
    for state in PLACED {
        let found = jobs::table.filter(jobs::state.eq(state)).select(JobRow::as_select()).into_boxed();
        placed.extend(jobs_of(within!(found, jobs, within).order(jobs::id.desc()).limit(limit).load(c))?);
    }
    placed.sort_by_key(|job| Reverse(job.id));
    placed.truncate(query.limit as usize);
    let found = jobs::table.filter(jobs::finished_at_ms.is_null()).select(JobRow::as_select()).into_boxed();
    let waiting = within!(found, jobs, within).filter(jobs::state.eq("queued"));
    let in_turn = waiting.order((jobs::priority.desc(), jobs::id.asc()));
    let waiting = jobs_of(in_turn.offset(i64::from(query.skip)).limit(limit).load(c))?;
    // Nothing ends that late: only what has not ended is counted.
    Ok(QueuePage { counts: job_counts(c, within, i64::MAX)?, placed, waiting })
}

fn jobs_of(rows: QueryResult<Vec<JobRow>>) -> Result<Vec<Job>, StoreError> {
    let rows = rows.map_err(|source| StoreError::List { what: "jobs", source })?;
    rows.into_iter().map(JobRow::into_job).collect()
}
