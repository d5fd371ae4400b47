//! The jobs of the rows of a stage's phase runs, by turn.

use std::collections::BTreeMap;

use diesel::prelude::*;

use shuntyard_domain::ids::PhaseRunId;
use shuntyard_domain::job::Job;
use shuntyard_domain::stage::{JobStanding, RowJob, Turn};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::jobs::job_insert;
use super::schema::{jobs, row_jobs};

const ROW_JOB: &str = "job of a row";

/// Inserts a job as the one of this turn of its row; its origin names the same phase run and row.
///
/// # Errors
/// `Conflict` when the turn has a job, or the id is taken; the caller's transaction must not be committed then.
pub fn row_job_insert(c: &mut StoreConnection, run: PhaseRunId, at: Turn, job: &Job) -> Result<(), StoreError> {
    let key = format!("{run} row {} turn {}", at.row, at.turn);
    job_insert(c, job)?;
    let row = (
        row_jobs::phase_run_id.eq(run.to_string()),
        row_jobs::matrix_row.eq(i64::from(at.row)),
        row_jobs::turn.eq(i64::from(at.turn)),
        row_jobs::job_id.eq(job.id.to_string()),
    );
    c.transaction(|c| diesel::insert_into(row_jobs::table).values(row).execute(c))
        .map_err(|source| About { what: ROW_JOB, key: &key }.insert(source))?;
    Ok(())
}

/// Returns the jobs of each row of a phase run, in the order of their turns: what the reconciler looks at.
pub fn row_jobs_of(c: &mut StoreConnection, run: PhaseRunId) -> Result<BTreeMap<u32, Vec<RowJob>>, StoreError> {
    let turns: Vec<(i64, String, String, Option<i64>)> = row_jobs::table
        .inner_join(jobs::table)
        .filter(row_jobs::phase_run_id.eq(run.to_string()))
        .order((row_jobs::matrix_row, row_jobs::turn))
        .select((row_jobs::matrix_row, jobs::id, jobs::state, jobs::cancel_at_ms))
        .load(c)
        .map_err(|source| StoreError::List { what: "jobs of a phase run", source })?;
    let mut by_row: BTreeMap<u32, Vec<RowJob>> = BTreeMap::new();
    for (matrix_row, id, state, cancel_at_ms) in turns {
        let row = Row { table: "jobs", key: &id };
        let standing = JobStanding::of_word(&state).ok_or_else(|| row.bad("state", &state))?;
        let job = RowJob { id: row.parse("id", &id)?, standing, is_marked: cancel_at_ms.is_some() };
        by_row.entry(row.number("matrix_row", matrix_row)?).or_default().push(job);
    }
    Ok(by_row)
}
