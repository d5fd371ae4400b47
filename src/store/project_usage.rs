//! What each project has, counted where it changes, and the quotas that differ from the daemon's own.

use diesel::prelude::*;
use serde_json::{Value, json};

use shuntyard_domain::job::JobOrigin;
use shuntyard_domain::tenancy::Name;

use super::audit::{self, Changed, audit_note};
use super::cached::Cached;
use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::schema::{project_quotas, project_usage};

const USAGE: &str = "usage of a project";
const QUOTAS: &str = "quotas of a project";

/// Quotas of one project; `None`: as the daemon's configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaRow {
    pub unfinished_jobs: Option<u32>,
    pub script_bytes: Option<u32>,
    pub matrix_rows: Option<u32>,
    pub job_log_bytes: Option<u64>,
}

/// Counts a job that was inserted, in the transaction that inserts it.
pub(super) fn count_inserted(c: &mut StoreConnection, origin: &JobOrigin) -> Result<(), StoreError> {
    let about = About { what: USAGE, key: &origin.project };
    let row = project_usage::table.find((&origin.enterprise, &origin.org, &origin.project));
    let more = project_usage::unfinished.eq(project_usage::unfinished + 1);
    if Cached(diesel::update(row).set(more)).execute(c).map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    let first = (
        project_usage::enterprise.eq(&origin.enterprise),
        project_usage::org.eq(&origin.org),
        project_usage::project.eq(&origin.project),
        project_usage::unfinished.eq(1_i64),
    );
    let inserted = diesel::insert_into(project_usage::table).values(first).execute(c);
    inserted.map(drop).map_err(|source| about.insert(source))
}

/// Counts a job that has ended, in the transaction that ends it. Never below nothing: the end of a job must not fail by it.
pub(super) fn count_ended(c: &mut StoreConnection, origin: &JobOrigin) -> Result<(), StoreError> {
    let row = project_usage::table.find((&origin.enterprise, &origin.org, &origin.project));
    let row = row.filter(project_usage::unfinished.gt(0));
    let less = project_usage::unfinished.eq(project_usage::unfinished - 1);
    let about = About { what: USAGE, key: &origin.project };
    Cached(diesel::update(row).set(less)).execute(c).map(drop).map_err(|source| about.update(source))
}

/// Returns how many jobs of the project have not ended.
pub fn project_unfinished(c: &mut StoreConnection, origin: &JobOrigin) -> Result<u64, StoreError> {
    let row = project_usage::table.find((&origin.enterprise, &origin.org, &origin.project));
    let found = row.select(project_usage::unfinished).first::<i64>(c).optional();
    let found = found.map_err(|source| About { what: USAGE, key: &origin.project }.find(source))?;
    Ok(found.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Returns the quotas of a project that differ from the daemon's.
pub fn project_quotas_find(
    c: &mut StoreConnection,
    (enterprise, org, project): (&str, &str, &str),
) -> Result<QuotaRow, StoreError> {
    let columns = (
        project_quotas::unfinished_jobs,
        project_quotas::script_bytes,
        project_quotas::matrix_rows,
        project_quotas::job_log_bytes,
    );
    type Columns = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let found = project_quotas::table.find((enterprise, org, project)).select(columns).first::<Columns>(c).optional();
    let found = found.map_err(|source| About { what: QUOTAS, key: project }.find(source))?;
    let (unfinished, script, rows, log) = found.unwrap_or_default();
    let small = |value: Option<i64>| value.map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    Ok(QuotaRow {
        unfinished_jobs: small(unfinished),
        script_bytes: small(script),
        matrix_rows: small(rows),
        job_log_bytes: log.map(|value| u64::try_from(value).unwrap_or(0)),
    })
}

fn told(quotas: &QuotaRow) -> Value {
    let QuotaRow { unfinished_jobs, script_bytes, matrix_rows, job_log_bytes } = quotas;
    json!({
        "unfinished_jobs": unfinished_jobs,
        "script_bytes": script_bytes,
        "matrix_rows": matrix_rows,
        "job_log_bytes": job_log_bytes,
    })
}

/// Sets the quotas of a project, all of them.
///
/// # Errors
/// `Conflict` when another dispatcher sets its first ones at the same moment: try again.
pub fn project_quotas_set(
    c: &mut StoreConnection,
    (enterprise, org, project): (&Name, &Name, &Name),
    quotas: &QuotaRow,
    now_ms: i64,
) -> Result<(), StoreError> {
    let about = About { what: QUOTAS, key: project.as_str() };
    if audit::is_acting() {
        let before = project_quotas_find(c, (enterprise.as_str(), org.as_str(), project.as_str()))?;
        if before != *quotas {
            let subject = format!("project {org}/{project}");
            audit_note(c, "quotas.set", || Changed::new(subject, Some(told(&before)), Some(told(quotas))))?;
        }
    }
    let row = project_quotas::table.find((enterprise.as_str(), org.as_str(), project.as_str()));
    diesel::delete(row).execute(c).map_err(|source| about.update(source))?;
    if *quotas == QuotaRow::default() {
        return Ok(());
    }
    let log = quotas.job_log_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let values = (
        project_quotas::enterprise.eq(enterprise.as_str()),
        project_quotas::org.eq(org.as_str()),
        project_quotas::project.eq(project.as_str()),
        project_quotas::unfinished_jobs.eq(quotas.unfinished_jobs.map(i64::from)),
        project_quotas::script_bytes.eq(quotas.script_bytes.map(i64::from)),
        project_quotas::matrix_rows.eq(quotas.matrix_rows.map(i64::from)),
        project_quotas::job_log_bytes.eq(log),
        project_quotas::set_at_ms.eq(now_ms),
    );
    let inserted = diesel::insert_into(project_quotas::table).values(values).execute(c);
    inserted.map(drop).map_err(|source| about.insert(source))
}
