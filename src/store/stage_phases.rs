//! The phase runs of a stage run. Phases that were run by themselves are in `phase_runs`, the same table.

use diesel::prelude::*;

use shuntyard_domain::ids::{PhaseRunId, StageRunId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::{End, PhaseRun};
use shuntyard_domain::tenancy::PipelinePath;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::phase_runs;

const PHASE_RUN: &str = "phase run";

#[derive(Queryable, Selectable)]
#[diesel(table_name = phase_runs)]
struct Columns {
    id: String,
    project: String,
    phase: String,
    carried: Option<String>,
    created_at_ms: i64,
    finished_at_ms: Option<i64>,
    status: Option<String>,
}

/// Inserts a phase run of a stage run, before its jobs; `at` lends enterprise and organisation.
///
/// # Errors
/// `Conflict` when the stage run has a run of this phase of this project already.
pub fn stage_phase_insert(
    c: &mut StoreConnection,
    at: &PipelinePath,
    stage: Stage,
    run: &PhaseRun,
    skipped: bool,
) -> Result<(), StoreError> {
    let key = run.id.to_string();
    let about = About { what: PHASE_RUN, key: &key };
    let row = (
        phase_runs::id.eq(&key),
        phase_runs::enterprise.eq(at.enterprise.as_str()),
        phase_runs::org.eq(at.org.as_str()),
        phase_runs::project.eq(run.project.as_str()),
        phase_runs::phase.eq(run.phase.as_str()),
        phase_runs::stage.eq(Some(stage.as_str())),
        phase_runs::config_digest.eq(""),
        phase_runs::config_text.eq(""),
        phase_runs::created_at_ms.eq(run.created_at_ms),
        phase_runs::skipped.eq(skipped),
        phase_runs::stage_run_id.eq(Some(run.stage_run.to_string())),
        phase_runs::carried.eq(Some(about.json("carried", &run.carried)?)),
    );
    c.transaction(|c| diesel::insert_into(phase_runs::table).values(row).execute(c))
        .map_err(|source| about.insert(source))?;
    Ok(())
}

/// Ends a phase run of a stage; tells whether it was open. One that has ended keeps its first end.
pub fn stage_phase_end(c: &mut StoreConnection, id: PhaseRunId, end: End) -> Result<bool, StoreError> {
    let key = id.to_string();
    let open = phase_runs::table.find(&key).filter(phase_runs::finished_at_ms.is_null());
    let set = (phase_runs::finished_at_ms.eq(Some(end.at_ms)), phase_runs::status.eq(Some(end.status.as_str())));
    let ended = diesel::update(open).set(set).execute(c);
    Ok(ended.map_err(|source| About { what: PHASE_RUN, key: &key }.update(source))? > 0)
}

/// Returns the phase runs of a stage run, oldest first.
pub fn stage_phases(c: &mut StoreConnection, stage_run: StageRunId) -> Result<Vec<PhaseRun>, StoreError> {
    let rows: QueryResult<Vec<Columns>> = phase_runs::table
        .filter(phase_runs::stage_run_id.eq(stage_run.to_string()))
        .order(phase_runs::id)
        .select(Columns::as_select())
        .load(c);
    let rows = rows.map_err(|source| StoreError::List { what: "phase runs", source })?;
    rows.into_iter().map(|columns| read(stage_run, columns)).collect()
}

fn read(stage_run: StageRunId, columns: Columns) -> Result<PhaseRun, StoreError> {
    let row = Row { table: "phase_runs", key: &columns.id };
    let carried = row.present("carried", columns.carried)?;
    let status = row.parse_opt("status", columns.status.as_deref())?;
    Ok(PhaseRun {
        id: row.parse("id", &columns.id)?,
        stage_run,
        project: row.parse("project", &columns.project)?,
        phase: row.parse("phase", &columns.phase)?,
        carried: row.json("carried", &carried)?,
        created_at_ms: columns.created_at_ms,
        end: columns.finished_at_ms.zip(status).map(|(at_ms, status)| End { status, at_ms }),
    })
}
