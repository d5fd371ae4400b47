//! What is old enough to go: logs and artifacts of ended jobs, then the jobs themselves; the oldest end first.
//!
//! Never what is not finished, nor what belongs to a change that is under way or to a fan-out that runs.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use shuntyard_domain::ids::{FanOutId, JobId};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{fan_out_rows, fan_outs, job_artifacts, jobs, phase_runs, removed_parts, row_jobs};

/// A part of a job that goes before its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPart {
    Log,
    Artifacts,
}

impl JobPart {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Artifacts => "artifacts",
        }
    }
}

/// An ended job that has still something to let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldJob {
    pub id: JobId,
    /// Each has a log of its own.
    pub attempts: u32,
    pub ended_at_ms: i64,
    /// Of the part that was asked for.
    pub bytes: u64,
}

/// Where the next page begins: behind this end and id.
pub type After = (i64, String);

#[derive(QueryableByName)]
struct Columns {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    attempt: i64,
    #[diesel(sql_type = BigInt)]
    ended_at_ms: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = Nullable<BigInt>)]
    bytes: Option<i64>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    jobs: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    bytes: Option<i64>,
}

/// Of a change that has nothing to do any more, or of none; and of no fan-out that runs.
const SETTLED: &str = "NOT EXISTS (SELECT 1 FROM phase_runs p JOIN stage_runs s ON s.id = p.stage_run_id \
     JOIN changes g ON g.id = s.change_id WHERE p.id = j.phase_run_id AND ( \
       EXISTS (SELECT 1 FROM stage_runs o WHERE o.change_id = g.id AND o.finished_at_ms IS NULL) \
       OR (g.state <> 'closed' AND NOT EXISTS (SELECT 1 FROM stage_runs d WHERE d.change_id = g.id \
           AND d.stage = 'delivered' AND d.status IN ('passed', 'skipped'))))) \
     AND NOT EXISTS (SELECT 1 FROM fan_out_rows r JOIN fan_outs f ON f.id = r.fan_out_id \
       WHERE r.job_id = j.id AND f.finished_at_ms IS NULL)";
const LOG_BYTES: &str = "COALESCE(j.log_bytes, 0) - COALESCE(j.log_elided_bytes, 0)";
const ARTIFACT_BYTES: &str =
    "CAST((SELECT COALESCE(SUM(a.size), 0) FROM job_artifacts a WHERE a.job_id = j.id) AS BIGINT)";

fn selected(part: JobPart) -> (&'static str, String) {
    let kept =
        format!("NOT EXISTS (SELECT 1 FROM removed_parts x WHERE x.job_id = j.id AND x.part = '{}')", part.as_str());
    match part {
        // Without output only the last attempt: an earlier one may have had some.
        JobPart::Log => (LOG_BYTES, format!("(j.log_bytes > 0 OR j.attempt > 1) AND {kept}")),
        JobPart::Artifacts => {
            (ARTIFACT_BYTES, "EXISTS (SELECT 1 FROM job_artifacts a WHERE a.job_id = j.id)".to_owned())
        }
    }
}

/// Returns up to `limit` jobs that have this part and may lose it, the oldest end first, from `after` on.
///
/// # Errors
/// `List`, `BadRow`
pub fn jobs_with_part(
    c: &mut StoreConnection,
    part: JobPart,
    after: &After,
    limit: i64,
) -> Result<Vec<OldJob>, StoreError> {
    let (bytes, has_it) = selected(part);
    old_jobs(c, bytes, &has_it, after, limit)
}

/// Returns up to `limit` jobs whose records may go: those of no change and no fan-out.
///
/// # Errors
/// `List`, `BadRow`
pub fn jobs_to_forget(c: &mut StoreConnection, after: &After, limit: i64) -> Result<Vec<OldJob>, StoreError> {
    let alone = "NOT EXISTS (SELECT 1 FROM row_jobs w WHERE w.job_id = j.id) \
                 AND NOT EXISTS (SELECT 1 FROM fan_out_rows r WHERE r.job_id = j.id)";
    old_jobs(c, LOG_BYTES, alone, after, limit)
}

fn old_jobs(
    c: &mut StoreConnection,
    bytes: &str,
    which: &str,
    (ended_at_ms, id): &After,
    limit: i64,
) -> Result<Vec<OldJob>, StoreError> {
    // Two bounds on the end: the first is what the index is walked by.
    let asked = format!(
        "SELECT j.id, j.attempt, j.finished_at_ms AS ended_at_ms, {bytes} AS bytes FROM jobs j \
         WHERE j.finished_at_ms IS NOT NULL AND j.finished_at_ms >= $1 AND (j.finished_at_ms > $2 OR j.id > $3) \
         AND {which} AND {SETTLED} ORDER BY j.finished_at_ms, j.id LIMIT $4"
    );
    let query = diesel::sql_query(asked)
        .bind::<BigInt, _>(*ended_at_ms)
        .bind::<BigInt, _>(*ended_at_ms)
        .bind::<Text, _>(id)
        .bind::<BigInt, _>(limit);
    let rows: Vec<Columns> = query.load(c).map_err(|source| StoreError::List { what: "old jobs", source })?;
    let read = |row: Columns| {
        let at = Row { table: "jobs", key: &row.id };
        Ok(OldJob {
            id: at.parse("id", &row.id)?,
            attempts: at.number("attempt", row.attempt)?,
            ended_at_ms: row.ended_at_ms,
            bytes: u64::try_from(row.bytes).unwrap_or(0),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Bytes that finished jobs have of this part. Reads the whole history: seldom.
///
/// # Errors
/// `List`
pub fn part_bytes(c: &mut StoreConnection, part: JobPart) -> Result<u64, StoreError> {
    let asked = match part {
        JobPart::Log => format!(
            "SELECT CAST(SUM({LOG_BYTES}) AS BIGINT) AS bytes FROM jobs j WHERE j.finished_at_ms IS NOT NULL AND {}",
            selected(part).1
        ),
        JobPart::Artifacts => "SELECT CAST(SUM(size) AS BIGINT) AS bytes FROM job_artifacts".to_owned(),
    };
    let sum: Sum =
        diesel::sql_query(asked).get_result(c).map_err(|source| StoreError::List { what: "what jobs keep", source })?;
    Ok(u64::try_from(sum.bytes.unwrap_or(0)).unwrap_or(0))
}

/// Notes that the part of these jobs is gone; of artifacts also their rows. A job that is gone itself is passed over.
///
/// # Errors
/// `Insert`, `Delete`
pub fn parts_removed(c: &mut StoreConnection, part: JobPart, gone: &[OldJob], at_ms: i64) -> Result<(), StoreError> {
    for job in gone {
        let key = job.id.to_string();
        let about = About { what: "removed part of job", key: &key };
        let known = jobs::table.find(&key).count().get_result::<i64>(c).map_err(|source| about.find(source))?;
        let noted = removed_parts::table.find((&key, part.as_str())).count().get_result::<i64>(c);
        if known == 0 || noted.map_err(|source| about.find(source))? > 0 {
            continue;
        }
        let row = (
            removed_parts::job_id.eq(&key),
            removed_parts::part.eq(part.as_str()),
            removed_parts::removed_at_ms.eq(at_ms),
            removed_parts::bytes.eq(i64::try_from(job.bytes).unwrap_or(i64::MAX)),
        );
        diesel::insert_into(removed_parts::table).values(row).execute(c).map_err(|source| about.insert(source))?;
        if part == JobPart::Artifacts {
            let rows = job_artifacts::table.filter(job_artifacts::job_id.eq(&key));
            diesel::delete(rows).execute(c).map_err(|source| about.delete(source))?;
        }
    }
    Ok(())
}

/// When retention removed this part of the job; `None`: it did not.
///
/// # Errors
/// `Find`
pub fn part_removed_at(c: &mut StoreConnection, job: JobId, part: JobPart) -> Result<Option<i64>, StoreError> {
    let key = job.to_string();
    let found = removed_parts::table.find((&key, part.as_str())).select(removed_parts::removed_at_ms).first(c);
    found.optional().map_err(|source| About { what: "removed part of job", key: &key }.find(source))
}

/// Deletes the records of these jobs with all that hangs on them, and phase runs that have no job any more.
///
/// # Errors
/// `Delete`
pub fn jobs_forget(c: &mut StoreConnection, gone: &[OldJob]) -> Result<(), StoreError> {
    for job in gone {
        let key = job.id.to_string();
        let about = About { what: "job", key: &key };
        let run: Option<Option<String>> =
            jobs::table.find(&key).select(jobs::phase_run_id).first(c).optional().map_err(|e| about.find(e))?;
        diesel::delete(jobs::table.find(&key)).execute(c).map_err(|source| about.delete(source))?;
        let Some(run) = run.flatten() else { continue };
        let left = jobs::table.filter(jobs::phase_run_id.eq(&run)).count().get_result::<i64>(c);
        let rows = row_jobs::table.filter(row_jobs::phase_run_id.eq(&run)).count().get_result::<i64>(c);
        if left.and_then(|left| rows.map(|rows| left + rows)).map_err(|source| about.find(source))? == 0 {
            let empty = phase_runs::table.find(&run).filter(phase_runs::stage_run_id.is_null());
            diesel::delete(empty).execute(c).map_err(|source| about.delete(source))?;
        }
    }
    Ok(())
}

/// The fan-out that ended first, before `ended_before_ms`; with jobs of it, at most `limit`, that go next.
///
/// # Errors
/// `List`, `BadRow`
pub fn fan_out_to_forget(
    c: &mut StoreConnection,
    ended_before_ms: i64,
    limit: i64,
) -> Result<Option<(FanOutId, Vec<OldJob>)>, StoreError> {
    let listed = |source| StoreError::List { what: "old fan-outs", source };
    let first: Option<String> = fan_outs::table
        .filter(fan_outs::finished_at_ms.lt(ended_before_ms))
        .order((fan_outs::finished_at_ms, fan_outs::id))
        .select(fan_outs::id)
        .first(c)
        .optional()
        .map_err(listed)?;
    let Some(id) = first else { return Ok(None) };
    let rows: Vec<(String, i64, Option<i64>, Option<i64>)> = fan_out_rows::table
        .inner_join(jobs::table)
        .filter(fan_out_rows::fan_out_id.eq(&id))
        .order(fan_out_rows::number)
        .limit(limit)
        .select((jobs::id, jobs::attempt, jobs::finished_at_ms, jobs::log_bytes))
        .load(c)
        .map_err(listed)?;
    let read = |(job, attempt, ended, bytes): (String, i64, Option<i64>, Option<i64>)| {
        let row = Row { table: "jobs", key: &job };
        let bytes = u64::try_from(bytes.unwrap_or(0)).unwrap_or(0);
        let ended_at_ms = row.present("finished_at_ms", ended)?;
        Ok(OldJob { id: row.parse("id", &job)?, attempts: row.number("attempt", attempt)?, ended_at_ms, bytes })
    };
    let gone = rows.into_iter().map(read).collect::<Result<_, StoreError>>()?;
    Ok(Some((Row { table: "fan_outs", key: &id }.parse("id", &id)?, gone)))
}

/// How many jobs of fan-outs that ended before `ended_before_ms` would go, and the bytes of their logs.
///
/// # Errors
/// `List`
pub fn fan_outs_to_forget(c: &mut StoreConnection, ended_before_ms: i64) -> Result<(u64, u64), StoreError> {
    let asked = format!(
        "SELECT COUNT(*) AS jobs, CAST(SUM({LOG_BYTES}) AS BIGINT) AS bytes FROM fan_outs f \
         JOIN fan_out_rows r ON r.fan_out_id = f.id JOIN jobs j ON j.id = r.job_id WHERE f.finished_at_ms < $1"
    );
    let counted: Counted = diesel::sql_query(asked)
        .bind::<BigInt, _>(ended_before_ms)
        .get_result(c)
        .map_err(|source| StoreError::List { what: "old fan-outs", source })?;
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok((number(counted.jobs), number(counted.bytes.unwrap_or(0))))
}

/// Deletes these jobs of an ended fan-out with their rows; with none given, the fan-out itself.
///
/// # Errors
/// `Delete`
pub fn fan_out_forget(c: &mut StoreConnection, id: FanOutId, gone: &[OldJob]) -> Result<(), StoreError> {
    let key = id.to_string();
    let failed = |source| About { what: "fan-out", key: &key }.delete(source);
    if gone.is_empty() {
        let repeated = fan_outs::table.filter(fan_outs::repeats.eq(&key));
        diesel::update(repeated).set(fan_outs::repeats.eq(None::<String>)).execute(c).map_err(failed)?;
        diesel::delete(fan_out_rows::table.filter(fan_out_rows::fan_out_id.eq(&key))).execute(c).map_err(failed)?;
        diesel::delete(fan_outs::table.find(&key)).execute(c).map_err(failed)?;
        return Ok(());
    }
    for job in gone {
        let rows = fan_out_rows::table.filter(fan_out_rows::job_id.eq(job.id.to_string()));
        diesel::delete(rows).execute(c).map_err(failed)?;
    }
    jobs_forget(c, gone)
}
