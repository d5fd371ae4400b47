//! When jobs waited and ran, without what else is known of them: for a picture of many.

use diesel::prelude::*;
use shuntyard_domain::access::Place;
use uuid::{NoContext, Timestamp, Uuid};

use super::connection::StoreConnection;
use super::error::StoreError;
use super::schema::jobs;
use super::within::within;

/// A job that was submitted earlier than this before a window is looked for only while it has not ended.
const LOOK_BACK_MS: i64 = 24 * 3600 * 1000;

/// One job's way through the queue.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct JobSpan {
    pub id: String,
    pub title: String,
    /// The word of its state.
    pub state: String,
    /// Of the runner that has or had it, also when that is deleted.
    pub runner: Option<String>,
    pub created_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
}

/// Jobs that had not ended at `since_ms`, newest first; at most `limit`.
///
/// # Errors
/// `StoreError::List`
pub fn job_spans(
    c: &mut StoreConnection,
    within: Option<&[Place]>,
    since_ms: i64,
    limit: i64,
) -> Result<Vec<JobSpan>, StoreError> {
    // Ids are UUIDv7: their order is that of the submissions, and has an index.
    let first = u64::try_from(since_ms - LOOK_BACK_MS).unwrap_or(0);
    let first = Timestamp::from_unix(NoContext, first / 1000, u32::try_from(first % 1000).unwrap_or(0) * 1_000_000);
    let first = Uuid::new_v7(first).to_string();
    let mut found = jobs::table.into_boxed();
    found = within!(found, jobs, within);
    let recent = jobs::id.ge(first).and(jobs::finished_at_ms.ge(since_ms).assume_not_null());
    found
        .filter(jobs::finished_at_ms.is_null().or(recent))
        .order(jobs::id.desc())
        .limit(limit)
        .select((
            jobs::id,
            jobs::title,
            jobs::state,
            jobs::runner_hostname,
            jobs::created_at_ms,
            jobs::started_at_ms,
            jobs::finished_at_ms,
        ))
        .load(c)
        .map_err(|source| StoreError::List { what: "jobs", source })
}
