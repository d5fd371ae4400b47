//! What the rows say should lie on disk beside the database; for `shuntd check`.

use diesel::prelude::*;
use shuntyard_domain::ids::{AttemptId, JobId};

use super::connection::StoreConnection;
use super::error::{Row, StoreError};
use super::schema::{jobs, removed_parts};

/// Rows that are read at a time.
const PAGE: i64 = 10_000;

/// A job's log as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHolding {
    /// Of the last attempt.
    pub attempt: AttemptId,
    /// It has ended, so that its log was sealed.
    pub finished: bool,
    /// Bytes of a finished job's log; 0 when retention has removed it.
    pub log_bytes: u64,
}

/// Id, attempt, end, bytes of the log, and the id again when retention has removed the log.
type Columns = (String, i64, Option<i64>, Option<i64>, Option<String>);

/// Tells `look` of every job, in the order of ids. Reads all jobs: not for a daemon's way.
///
/// # Errors
/// `List`, `BadRow`
pub fn log_holdings(c: &mut StoreConnection, mut look: impl FnMut(LogHolding)) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let rows: Vec<Columns> = jobs::table
            .left_join(removed_parts::table.on(removed_parts::job_id.eq(jobs::id).and(removed_parts::part.eq("log"))))
            .filter(jobs::id.gt(&after))
            .order(jobs::id)
            .limit(PAGE)
            .select((jobs::id, jobs::attempt, jobs::finished_at_ms, jobs::log_bytes, removed_parts::job_id.nullable()))
            .load(c)
            .map_err(|source| StoreError::List { what: "jobs", source })?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        after.clone_from(last);
        for (id, attempt, finished, log_bytes, removed) in rows {
            let row = Row { table: "jobs", key: &id };
            let job: JobId = row.parse("id", &id)?;
            let bytes = if removed.is_some() { 0 } else { log_bytes.unwrap_or(0) };
            look(LogHolding {
                attempt: AttemptId { job, attempt: row.number("attempt", attempt)? },
                finished: finished.is_some(),
                log_bytes: row.number("log_bytes", bytes)?,
            });
        }
    }
}
