//! Stage runs: what a change does in one stage, and how it ended.

use std::collections::BTreeMap;

use diesel::prelude::*;

use shuntyard_domain::change::Signed;
use shuntyard_domain::ids::{ChangeId, StageRunId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::pipeline::is_shared;
use shuntyard_domain::stage::{End, RunPlan, StageRun};
use shuntyard_domain::tenancy::PipelinePath;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::stage_runs;

const STAGE_RUN: &str = "stage run";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = stage_runs)]
struct Columns {
    id: String,
    change_id: String,
    stage: String,
    number: i64,
    triggered_by: Option<String>,
    repeats: Option<String>,
    created_at_ms: i64,
    #[diesel(embed)]
    moving: Moving,
}

/// What changes while the run goes on.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = stage_runs, treat_none_as_null = true)]
struct Moving {
    plan: Option<String>,
    plan_fault: Option<String>,
    cancel_at_ms: Option<i64>,
    cancel_by: Option<String>,
    finished_at_ms: Option<i64>,
    status: Option<String>,
    version: i64,
}

impl Moving {
    fn new(about: About<'_>, run: &StageRun) -> Result<Self, StoreError> {
        let (plan, plan_fault) = match &run.plan {
            RunPlan::Unread => (None, None),
            RunPlan::Made(plan) => (Some(about.json("plan", plan)?), None),
            RunPlan::Faulty(why) => (None, Some(why.clone())),
        };
        Ok(Self {
            plan,
            plan_fault,
            cancel_at_ms: run.cancel.as_ref().map(|cancel| cancel.at_ms),
            cancel_by: run.cancel.as_ref().map(|cancel| cancel.by.clone()),
            finished_at_ms: run.end.map(|end| end.at_ms),
            status: run.end.map(|end| end.status.to_string()),
            version: run.version,
        })
    }
}

impl Columns {
    fn into_run(self) -> Result<StageRun, StoreError> {
        let row = Row { table: "stage_runs", key: &self.id };
        let moving = self.moving;
        let plan = match (&moving.plan, moving.plan_fault) {
            (Some(plan), _) => RunPlan::Made(row.json("plan", plan)?),
            (None, Some(why)) => RunPlan::Faulty(why),
            (None, None) => RunPlan::Unread,
        };
        let status = row.parse_opt("status", moving.status.as_deref())?;
        Ok(StageRun {
            id: row.parse("id", &self.id)?,
            change: row.parse("change_id", &self.change_id)?,
            stage: row.parse("stage", &self.stage)?,
            number: row.number("number", self.number)?,
            triggered_by: self.triggered_by,
            repeats: row.parse_opt("repeats", self.repeats.as_deref())?,
            plan,
            cancel: moving.cancel_at_ms.zip(moving.cancel_by).map(|(at_ms, by)| Signed { at_ms, by }),
            created_at_ms: self.created_at_ms,
            end: moving.finished_at_ms.zip(status).map(|(at_ms, status)| End { status, at_ms }),
            version: moving.version,
        })
    }
}

/// Inserts a run of a change of the pipeline.
///
/// # Errors
/// `Conflict` when the number is taken, another run of the change is open, or another change of the pipeline is in
/// the stage and the stage is shared.
pub fn stage_run_insert(c: &mut StoreConnection, at: &PipelinePath, run: &StageRun) -> Result<(), StoreError> {
    let key = run.id.to_string();
    let about = About { what: STAGE_RUN, key: &key };
    let columns = Columns {
        id: key.clone(),
        change_id: run.change.to_string(),
        stage: run.stage.to_string(),
        number: i64::from(run.number),
        triggered_by: run.triggered_by.clone(),
        repeats: run.repeats.map(|id| id.to_string()),
        created_at_ms: run.created_at_ms,
        moving: Moving::new(about, run)?,
    };
    let path = stage_runs::pipeline_path.eq(at.to_string());
    c.transaction(|c| diesel::insert_into(stage_runs::table).values((columns, path)).execute(c))
        .map_err(|source| about.insert(source))?;
    Ok(())
}

/// Writes plan, cancel and end of a run over the version that it was read with; returns it with the next one.
///
/// # Errors
/// `Raced` when the version is another one by now; nothing was written.
pub fn stage_run_update(c: &mut StoreConnection, run: &StageRun) -> Result<StageRun, StoreError> {
    let key = run.id.to_string();
    let about = About { what: STAGE_RUN, key: &key };
    let next = StageRun { version: run.version + 1, ..run.clone() };
    let row = stage_runs::table.find(&key).filter(stage_runs::version.eq(run.version));
    let set = Moving::new(about, &next)?;
    match diesel::update(row).set(set).execute(c).map_err(|source| about.update(source))? {
        0 => Err(StoreError::Raced { what: STAGE_RUN, key, expected: run.version }),
        _ => Ok(next),
    }
}

/// Keeps the text of the configuration that a run was planned with; not part of what is raced for.
pub fn stage_run_keep_config(c: &mut StoreConnection, id: StageRunId, text: &str) -> Result<(), StoreError> {
    let key = id.to_string();
    let set = stage_runs::config_text.eq(text);
    let updated = diesel::update(stage_runs::table.find(&key)).set(set).execute(c);
    updated.map_err(|source| About { what: STAGE_RUN, key: &key }.update(source))?;
    Ok(())
}

/// Returns the text of the configuration that the change's last planned run had.
pub fn stage_run_last_config(c: &mut StoreConnection, change: ChangeId) -> Result<Option<String>, StoreError> {
    let key = change.to_string();
    let found = stage_runs::table
        .filter(stage_runs::change_id.eq(&key))
        .filter(stage_runs::config_text.is_not_null())
        .order(stage_runs::id.desc())
        .select(stage_runs::config_text)
        .first::<Option<String>>(c)
        .optional();
    Ok(found.map_err(|source| About { what: STAGE_RUN, key: &key }.find(source))?.flatten())
}

/// Returns the text of the configuration that a run was planned with.
pub fn stage_run_config(c: &mut StoreConnection, id: StageRunId) -> Result<Option<String>, StoreError> {
    let key = id.to_string();
    let found = stage_runs::table.find(&key).select(stage_runs::config_text).first::<Option<String>>(c).optional();
    Ok(found.map_err(|source| About { what: STAGE_RUN, key: &key }.find(source))?.flatten())
}

/// Returns the runs of a change, oldest first.
pub fn stage_runs_of(c: &mut StoreConnection, change: ChangeId) -> Result<Vec<StageRun>, StoreError> {
    let query = stage_runs::table.filter(stage_runs::change_id.eq(change.to_string())).order(stage_runs::id);
    runs(query.select(Columns::as_select()).load(c))
}

/// Returns every run that has not ended, oldest first: what a dispatcher goes on with after a restart.
pub fn stage_runs_open(c: &mut StoreConnection) -> Result<Vec<StageRun>, StoreError> {
    let query = stage_runs::table.filter(stage_runs::finished_at_ms.is_null()).order(stage_runs::id);
    runs(query.select(Columns::as_select()).load(c))
}

/// Returns the last run of a stage of a pipeline that had a plan, whichever change's it is.
pub fn stage_run_last_planned(
    c: &mut StoreConnection,
    at: &PipelinePath,
    stage: Stage,
) -> Result<Option<StageRun>, StoreError> {
    let query = stage_runs::table
        .filter(stage_runs::pipeline_path.eq(at.to_string()))
        .filter(stage_runs::stage.eq(stage.as_str()))
        .filter(stage_runs::plan.is_not_null())
        .order(stage_runs::id.desc())
        .limit(1);
    Ok(runs(query.select(Columns::as_select()).load(c))?.pop())
}

/// Returns the shared stages of a pipeline that changes other than `than` are in now.
pub fn stages_taken(
    c: &mut StoreConnection,
    at: &PipelinePath,
    than: ChangeId,
) -> Result<BTreeMap<Stage, ChangeId>, StoreError> {
    let rows: QueryResult<Vec<(String, String)>> = stage_runs::table
        .filter(stage_runs::pipeline_path.eq(at.to_string()))
        .filter(stage_runs::finished_at_ms.is_null())
        .filter(stage_runs::change_id.ne(than.to_string()))
        .select((stage_runs::stage, stage_runs::change_id))
        .load(c);
    let rows = rows.map_err(|source| StoreError::List { what: "stage runs", source })?;
    let parsed = |(stage, change): (String, String)| {
        let row = Row { table: "stage_runs", key: &change };
        Ok((row.parse("stage", &stage)?, row.parse("change_id", &change)?))
    };
    let taken =
        rows.into_iter().map(parsed).filter(|stage| stage.as_ref().map_or(true, |(stage, _)| is_shared(*stage)));
    taken.collect()
}

fn runs(rows: QueryResult<Vec<Columns>>) -> Result<Vec<StageRun>, StoreError> {
    let rows = rows.map_err(|source| StoreError::List { what: "stage runs", source })?;
    rows.into_iter().map(Columns::into_run).collect()
}
