//! The rows of fan-outs: a runner each, and its job.

use std::collections::BTreeMap;

use diesel::prelude::*;

use shuntyard_domain::fan_out::{FanOutJob, FanOutRow, RowNotRun, RowStanding};
use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::job::Job;
use shuntyard_domain::stage::JobStanding;
use shuntyard_domain::wire::fan_out::FanOutCounts;

use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::jobs::job_insert;
use super::schema::{fan_out_rows, jobs};

const ROW: &str = "row of a fan-out";
/// Rows that one statement names: SQLite takes 32,766 values.
const AT_A_TIME: usize = 1000;

/// Inserts the rows of a new fan-out; none of them has a job.
///
/// # Errors
/// `Conflict` when a runner has two rows.
pub fn fan_out_rows_insert(c: &mut StoreConnection, id: FanOutId, rows: &[FanOutRow]) -> Result<(), StoreError> {
    let key = id.to_string();
    for row in rows {
        let values = (
            fan_out_rows::fan_out_id.eq(&key),
            fan_out_rows::number.eq(i64::from(row.number)),
            fan_out_rows::runner_id.eq(row.runner.to_string()),
            fan_out_rows::hostname.eq(&row.hostname),
        );
        c.transaction(|c| Cached(diesel::insert_into(fan_out_rows::table).values(values)).execute(c))
            .map_err(|source| About { what: ROW, key: &key }.insert(source))?;
    }
    Ok(())
}

/// Inserts a job as the one of this row.
///
/// # Errors
/// `Raced` when the row has a job or is not to have one; the caller's transaction must not be committed then.
pub fn fan_out_row_start(c: &mut StoreConnection, id: FanOutId, number: u32, job: &Job) -> Result<(), StoreError> {
    job_insert(c, job)?;
    let (fan_out, at) = (id.to_string(), i64::from(number));
    let key = format!("{id} row {number}");
    let row = fan_out_rows::table
        .find((&fan_out, at))
        .filter(fan_out_rows::job_id.is_null())
        .filter(fan_out_rows::not_run_reason.is_null());
    let set = fan_out_rows::job_id.eq(Some(job.id.to_string()));
    match diesel::update(row).set(set).execute(c).map_err(|source| About { what: ROW, key: &key }.update(source))? {
        0 => Err(StoreError::Raced { what: ROW, key, expected: 0 }),
        _ => Ok(()),
    }
}

/// Says why rows are not run; a row that has a reason keeps its first one.
pub fn fan_out_rows_leave_out(
    c: &mut StoreConnection,
    id: FanOutId,
    numbers: &[u32],
    reason: RowNotRun,
) -> Result<(), StoreError> {
    let key = id.to_string();
    for numbers in numbers.chunks(AT_A_TIME) {
        let numbers: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
        let rows = fan_out_rows::table
            .filter(fan_out_rows::fan_out_id.eq(&key))
            .filter(fan_out_rows::number.eq_any(numbers))
            .filter(fan_out_rows::not_run_reason.is_null());
        let set = fan_out_rows::not_run_reason.eq(Some(reason.as_str()));
        diesel::update(rows).set(set).execute(c).map_err(|source| About { what: ROW, key: &key }.update(source))?;
    }
    Ok(())
}

/// What is read of a row's job.
#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct JobColumns {
    id: String,
    state: String,
    cancel_at_ms: Option<i64>,
    exit_code: Option<i32>,
    started_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
    stop_reason: Option<String>,
    not_run_reason: Option<String>,
}

impl JobColumns {
    fn into_job(self) -> Result<FanOutJob, StoreError> {
        let row = Row { table: "jobs", key: &self.id };
        Ok(FanOutJob {
            id: row.parse("id", &self.id)?,
            standing: JobStanding::of_word(&self.state).ok_or_else(|| row.bad("state", &self.state))?,
            is_marked: self.cancel_at_ms.is_some(),
            exit_code: self.exit_code,
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
            stop_reason: row.parse_opt("stop_reason", self.stop_reason.as_deref())?,
            not_run_reason: row.parse_opt("not_run_reason", self.not_run_reason.as_deref())?,
            state: self.state,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = fan_out_rows)]
struct RowColumns {
    number: i64,
    runner_id: String,
    hostname: String,
    not_run_reason: Option<String>,
}

/// Returns the rows of a fan-out with their jobs, in the order of the starts.
pub fn fan_out_rows_of(c: &mut StoreConnection, id: FanOutId) -> Result<Vec<FanOutRow>, StoreError> {
    let key = id.to_string();
    let rows: Vec<(RowColumns, Option<JobColumns>)> = fan_out_rows::table
        .left_join(jobs::table)
        .filter(fan_out_rows::fan_out_id.eq(&key))
        .order(fan_out_rows::number)
        .select((RowColumns::as_select(), Option::<JobColumns>::as_select()))
        .load(c)
        .map_err(|source| StoreError::List { what: "rows of a fan-out", source })?;
    let row = Row { table: "fan_out_rows", key: &key };
    rows.into_iter()
        .map(|(columns, job)| {
            Ok(FanOutRow {
                number: row.number("number", columns.number)?,
                runner: row.parse("runner_id", &columns.runner_id)?,
                hostname: columns.hostname,
                job: job.map(JobColumns::into_job).transpose()?,
                not_run: row.parse_opt("not_run_reason", columns.not_run_reason.as_deref())?,
            })
        })
        .collect()
}

/// Counts the rows of fan-outs by how they stand.
pub fn fan_out_counts(
    c: &mut StoreConnection,
    ids: &[FanOutId],
) -> Result<BTreeMap<FanOutId, FanOutCounts>, StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, Option<String>, Option<String>)> = fan_out_rows::table
        .left_join(jobs::table)
        .filter(fan_out_rows::fan_out_id.eq_any(keys))
        .select((fan_out_rows::fan_out_id, fan_out_rows::not_run_reason, jobs::state.nullable()))
        .load(c)
        .map_err(|source| StoreError::List { what: "rows of fan-outs", source })?;
    let mut counts: BTreeMap<FanOutId, FanOutCounts> = BTreeMap::new();
    for (id, not_run, state) in rows {
        let row = Row { table: "fan_out_rows", key: &id };
        let standing = match (state, not_run) {
            (None, None) => RowStanding::Idle,
            (None, Some(_)) => RowStanding::NotRun,
            (Some(state), _) => RowStanding::of(JobStanding::of_word(&state).ok_or_else(|| row.bad("state", &state))?),
        };
        counts.entry(row.parse("fan_out_id", &id)?).or_default().add(standing);
    }
    Ok(counts)
}
