//! How long stages, their phases and the jobs of those take, and took.

use std::collections::BTreeMap;

use diesel::prelude::*;
use shuntyard_domain::ids::{JobId, StageRunId};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::stage::Status;
use shuntyard_domain::tenancy::PipelinePath;

use super::connection::StoreConnection;
use super::error::{Row, StoreError};
use super::schema::{jobs, phase_runs, stage_runs};

/// From when to when something was, in Unix milliseconds; it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begun_ms: i64,
    pub ended_ms: Option<i64>,
}

/// How long a stage took, and its phases, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageTook {
    pub whole_ms: i64,
    pub phases_ms: BTreeMap<Phase, i64>,
}

/// The last run of each stage of a pipeline that has passed.
///
/// # Errors
/// `StoreError::List`
pub fn stages_took(c: &mut StoreConnection, at: &PipelinePath) -> Result<BTreeMap<Stage, StageTook>, StoreError> {
    let mut took = BTreeMap::new();
    for stage in Stage::ALL {
        let last: QueryResult<Option<(String, i64, Option<i64>)>> = stage_runs::table
            .filter(stage_runs::pipeline_path.eq(at.to_string()))
            .filter(stage_runs::stage.eq(stage.as_str()))
            .filter(stage_runs::status.eq(Status::Passed.as_str()))
            .order(stage_runs::id.desc())
            .select((stage_runs::id, stage_runs::created_at_ms, stage_runs::finished_at_ms))
            .first(c)
            .optional();
        let last = last.map_err(|source| StoreError::List { what: "stage runs", source })?;
        let Some((id, begun_ms, Some(ended_ms))) = last else { continue };
        let run: StageRunId = Row { table: "stage_runs", key: &id }.parse("id", &id)?;
        let phases = phase_spans(c, &[run])?;
        let ended = phases.into_iter().filter_map(|((_, phase), span)| Some((phase, span.ended_ms? - span.begun_ms)));
        took.insert(*stage, StageTook { whole_ms: ended_ms - begun_ms, phases_ms: ended.collect() });
    }
    Ok(took)
}

/// The phases of runs of stages; of several projects in one phase from the first that began to the last that ended.
///
/// # Errors
/// `StoreError::List`
pub fn phase_spans(
    c: &mut StoreConnection,
    runs: &[StageRunId],
) -> Result<BTreeMap<(StageRunId, Phase), Span>, StoreError> {
    let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
    let rows: Vec<(Option<String>, String, i64, Option<i64>)> = phase_runs::table
        .filter(phase_runs::stage_run_id.eq_any(runs))
        .filter(phase_runs::skipped.eq(false))
        .select((phase_runs::stage_run_id, phase_runs::phase, phase_runs::created_at_ms, phase_runs::finished_at_ms))
        .load(c)
        .map_err(|source| StoreError::List { what: "phase runs", source })?;
    let mut spans: BTreeMap<(StageRunId, Phase), Span> = BTreeMap::new();
    for (run, phase, begun_ms, ended_ms) in rows {
        let key = run.unwrap_or_default();
        let row = Row { table: "phase_runs", key: &key };
        let of = (row.parse("stage_run_id", &key)?, row.parse("phase", &phase)?);
        let span = spans.entry(of).or_insert(Span { begun_ms, ended_ms });
        span.begun_ms = span.begun_ms.min(begun_ms);
        span.ended_ms = span.ended_ms.zip(ended_ms).map(|(one, other)| one.max(other));
    }
    Ok(spans)
}

/// Those of the jobs that were started.
///
/// # Errors
/// `StoreError::List`
pub fn jobs_ran(c: &mut StoreConnection, ids: &[JobId]) -> Result<BTreeMap<JobId, Span>, StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, i64, Option<i64>)> = jobs::table
        .filter(jobs::id.eq_any(keys))
        .filter(jobs::started_at_ms.is_not_null())
        .select((jobs::id, jobs::started_at_ms.assume_not_null(), jobs::finished_at_ms))
        .load(c)
        .map_err(|source| StoreError::List { what: "jobs", source })?;
    let parsed = |(id, begun_ms, ended_ms): (String, i64, Option<i64>)| {
        Ok((Row { table: "jobs", key: &id }.parse("id", &id)?, Span { begun_ms, ended_ms }))
    };
    rows.into_iter().map(parsed).collect()
}
