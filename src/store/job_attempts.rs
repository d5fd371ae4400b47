//! Placements: who the host was when the start was intended, and what proved a loss.

use diesel::prelude::*;

use shuntyard_domain::attempt::{AttemptRecord, HostIdentity, Loss};
use shuntyard_domain::ids::{AttemptId, JobId, RunnerId};

use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::job_attempts;

const ATTEMPT: &str = "attempt of job";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = job_attempts)]
struct AttemptRow {
    job_id: String,
    attempt: i64,
    runner_id: String,
    runner_hostname: Option<String>,
    intended_at_ms: i64,
    boot_id: Option<String>,
    instance_id: Option<String>,
    lost_evidence: Option<String>,
    lost_at_ms: Option<i64>,
    boot_id_now: Option<String>,
    instance_id_now: Option<String>,
}

impl AttemptRow {
    fn into_record(self) -> Result<AttemptRecord, StoreError> {
        let row = Row { table: "job_attempts", key: &self.job_id };
        let evidence = row.parse_opt("lost_evidence", self.lost_evidence.as_deref())?;
        let now = HostIdentity { boot_id: self.boot_id_now, instance_id: self.instance_id_now };
        let loss = match evidence {
            Some(evidence) => Some(Loss { evidence, at_ms: row.present("lost_at_ms", self.lost_at_ms)?, now }),
            None => None,
        };
        Ok(AttemptRecord {
            attempt: row.number("attempt", self.attempt)?,
            runner: row.parse("runner_id", &self.runner_id)?,
            hostname: self.runner_hostname,
            intended_at_ms: self.intended_at_ms,
            host: HostIdentity { boot_id: self.boot_id, instance_id: self.instance_id },
            loss,
        })
    }
}

/// Inserts the placement `id` on `runner`; belongs into the transaction of the intent to start.
///
/// # Errors
/// `Conflict` when it is there: an attempt is placed once.
pub fn job_attempt_insert(
    c: &mut StoreConnection,
    id: AttemptId,
    (runner, hostname): (RunnerId, &str),
    intended_at_ms: i64,
    host: &HostIdentity,
) -> Result<(), StoreError> {
    let key = id.job.to_string();
    let row = AttemptRow {
        job_id: key.clone(),
        attempt: i64::from(id.attempt),
        runner_id: runner.to_string(),
        runner_hostname: Some(hostname.to_owned()),
        intended_at_ms,
        boot_id: host.boot_id.clone(),
        instance_id: host.instance_id.clone(),
        lost_evidence: None,
        lost_at_ms: None,
        boot_id_now: None,
        instance_id_now: None,
    };
    c.transaction(|c| Cached(diesel::insert_into(job_attempts::table).values(row)).execute(c))
        .map(|_| ())
        .map_err(|source| About { what: ATTEMPT, key: &key }.insert(source))
}

/// Writes how the attempt was lost; belongs into the transaction of the event. An attempt that an earlier version
/// placed has no row, and stays without one.
pub fn job_attempt_lost(c: &mut StoreConnection, id: AttemptId, loss: &Loss) -> Result<(), StoreError> {
    let key = id.job.to_string();
    let values = (
        job_attempts::lost_evidence.eq(loss.evidence.as_str()),
        job_attempts::lost_at_ms.eq(loss.at_ms),
        job_attempts::boot_id_now.eq(&loss.now.boot_id),
        job_attempts::instance_id_now.eq(&loss.now.instance_id),
    );
    diesel::update(job_attempts::table.find((&key, i64::from(id.attempt))))
        .set(values)
        .execute(c)
        .map(|_| ())
        .map_err(|source| About { what: ATTEMPT, key: &key }.update(source))
}

/// Returns the job's placements, oldest first; empty when it was never placed.
pub fn job_attempts(c: &mut StoreConnection, id: JobId) -> Result<Vec<AttemptRecord>, StoreError> {
    let key = id.to_string();
    let rows: Vec<AttemptRow> = job_attempts::table
        .filter(job_attempts::job_id.eq(&key))
        .order(job_attempts::attempt.asc())
        .select(AttemptRow::as_select())
        .load(c)
        .map_err(|source| About { what: "attempts of job", key: &key }.find(source))?;
    rows.into_iter().map(AttemptRow::into_record).collect()
}
