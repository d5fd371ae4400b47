//! When jobs waited and ran, without what else is known of them: for a picture of many.

use diesel::dsl::count_star;
use diesel::prelude::*;
use shuntyard_domain::access::Place;

use super::connection::StoreConnection;
use super::error::StoreError;
use super::jobs::PLACED;
use super::schema::jobs;
use super::within::within;

/// One job's way through the queue and over a runner.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct JobSpan {
    pub id: String,
    pub title: String,
    /// The word of its state.
    pub state: String,
    /// Of the runner that has or had it, also when that is deleted.
    pub runner: Option<String>,
    pub created_at_ms: i64,
    pub started_at_ms: i64,
    pub finished_at_ms: Option<i64>,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    pub waiting: i64,
    /// They have been given to a runner.
    pub placed: i64,
    /// Since the time that was asked for.
    pub ended: i64,
    pub failed: i64,
}

/// Of jobs that were started, by their start: all that run, and of those that ended at `since_ms` or later the last `limit`.
///
/// # Errors
/// `StoreError::List`
pub fn job_spans(
    c: &mut StoreConnection,
    within: Option<&[Place]>,
    since_ms: i64,
    limit: usize,
) -> Result<Vec<JobSpan>, StoreError> {
    let columns = (
        jobs::id,
        jobs::title,
        jobs::state,
        jobs::runner_hostname,
        jobs::created_at_ms,
        jobs::started_at_ms.assume_not_null(),
        jobs::finished_at_ms,
    );
    let failed = |source| StoreError::List { what: "jobs", source };
    let mut running = jobs::table.filter(jobs::state.eq_any(PLACED)).into_boxed();
    running = within!(running, jobs, within);
    let running = running.filter(jobs::started_at_ms.is_not_null()).select(columns);
    let mut spans: Vec<JobSpan> = running.load(c).map_err(failed)?;
    let mut ended = jobs::table.filter(jobs::finished_at_ms.ge(since_ms)).into_boxed();
    ended = within!(ended, jobs, within);
    let ended = ended.filter(jobs::started_at_ms.is_not_null()).order((jobs::finished_at_ms.desc(), jobs::id.desc()));
    spans.extend(
        ended.limit(i64::try_from(limit).unwrap_or(i64::MAX)).select(columns).load::<JobSpan>(c).map_err(failed)?,
    );
    spans.sort_by(|a, b| (a.started_at_ms, &a.id).cmp(&(b.started_at_ms, &b.id)));
    Ok(spans)
}

/// Counts the jobs that wait, those that run, and those that ended at `since_ms` or later.
///
/// # Errors
/// `StoreError::List`
pub fn job_counts(c: &mut StoreConnection, within: Option<&[Place]>, since_ms: i64) -> Result<JobCounts, StoreError> {
    let by_state = || jobs::table.group_by(jobs::state).select((jobs::state, count_star()));
    let unfinished = [&PLACED[..], &["queued"]].concat();
    let unfinished = by_state().filter(jobs::state.eq_any(unfinished)).into_boxed();
    let ended = by_state().filter(jobs::finished_at_ms.ge(since_ms)).into_boxed();
    let mut counts = JobCounts::default();
    for found in [unfinished, ended] {
        let counted = within!(found, jobs, within).load::<(String, i64)>(c);
        for (state, n) in counted.map_err(|source| StoreError::List { what: "jobs", source })? {
            match state.as_str() {
                "queued" => counts.waiting += n,
                word if PLACED.contains(&word) => counts.placed += n,
                "failed" | "timed_out" | "lost" => {
                    (counts.ended, counts.failed) = (counts.ended + n, counts.failed + n)
                }
                _ => counts.ended += n,
            }
        }
    }
    Ok(counts)
}
