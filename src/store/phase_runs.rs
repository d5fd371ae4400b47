//! Phase runs: what was submitted together, and the configuration that it was submitted with.

use diesel::prelude::*;

use shuntyard_domain::ids::PhaseRunId;
use shuntyard_domain::phase::{Phase, Stage};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::phase_runs;

/// One phase run. Its jobs are found by `JobQuery::phase_run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseRunRow {
    pub id: PhaseRunId,
    pub enterprise: String,
    pub org: String,
    pub project: String,
    pub phase: Phase,
    /// `None` for a phase that was run by itself.
    pub stage: Option<Stage>,
    /// SHA-256 of `config_text`, in hexadecimal.
    pub config_digest: String,
    /// The project's config.json as it was read.
    pub config_text: String,
    pub created_at_ms: i64,
    /// The configuration says that the phase is skipped; it has no jobs.
    pub skipped: bool,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = phase_runs)]
struct Columns {
    id: String,
    enterprise: String,
    org: String,
    project: String,
    phase: String,
    stage: Option<String>,
    config_digest: String,
    config_text: String,
    created_at_ms: i64,
    skipped: bool,
}

/// Inserts a phase run, before its jobs.
///
/// # Errors
/// `Conflict` when the id is taken.
pub fn phase_run_insert(c: &mut StoreConnection, run: &PhaseRunRow) -> Result<(), StoreError> {
    let key = run.id.to_string();
    let columns = Columns {
        id: key.clone(),
        enterprise: run.enterprise.clone(),
        org: run.org.clone(),
        project: run.project.clone(),
        phase: run.phase.to_string(),
        stage: run.stage.map(|stage| stage.to_string()),
        config_digest: run.config_digest.clone(),
        config_text: run.config_text.clone(),
        created_at_ms: run.created_at_ms,
        skipped: run.skipped,
    };
    c.transaction(|c| diesel::insert_into(phase_runs::table).values(columns).execute(c))
        .map_err(|source| About { what: "phase run", key: &key }.insert(source))?;
    Ok(())
}

/// Returns the phase run with that id.
pub fn phase_run_find(c: &mut StoreConnection, id: PhaseRunId) -> Result<Option<PhaseRunRow>, StoreError> {
    let key = id.to_string();
    let found = phase_runs::table.find(&key).select(Columns::as_select()).first(c).optional();
    let Some(columns) = found.map_err(|source| About { what: "phase run", key: &key }.find(source))? else {
        return Ok(None);
    };
    let row = Row { table: "phase_runs", key: &key };
    Ok(Some(PhaseRunRow {
        id,
        enterprise: columns.enterprise,
        org: columns.org,
        project: columns.project,
        phase: row.parse("phase", &columns.phase)?,
        stage: row.parse_opt("stage", columns.stage.as_deref())?,
        config_digest: columns.config_digest,
        config_text: columns.config_text,
        created_at_ms: columns.created_at_ms,
        skipped: columns.skipped,
    }))
}
