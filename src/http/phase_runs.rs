//! `/phase_runs`: the jobs of one phase, submitted together.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shuntyard_domain::ids::PhaseRunId;
use shuntyard_domain::project_config::MAX_ROWS;
use shuntyard_domain::wire::api::{PhaseRunBody, SubmitPhaseRun};

use super::Api;
use super::body::ApiJson;
use super::error::ApiError;
use super::query::PathId;
use crate::store::{JobQuery, StoreError, job_page, phase_run_find};

pub(super) async fn submit(
    State(api): State<Api>,
    ApiJson(request): ApiJson<SubmitPhaseRun>,
) -> Result<(StatusCode, Json<PhaseRunBody>), ApiError> {
    let (project, phase) = (request.project.clone(), request.phase);
    let (id, jobs) = api.dispatcher.submit_phase_run(request).await?;
    let jobs = api.job_bodies(&jobs).await?;
    Ok((StatusCode::CREATED, Json(PhaseRunBody { id, project, phase, skipped: jobs.is_empty(), jobs })))
}

pub(super) async fn show(
    State(api): State<Api>,
    PathId(id): PathId<PhaseRunId>,
) -> Result<Json<PhaseRunBody>, ApiError> {
    let found = api
        .dispatcher
        .store()
        .read(move |c| {
            let query = JobQuery { phase_run: Some(id), limit: MAX_ROWS.into(), ..JobQuery::default() };
            Ok::<_, StoreError>((phase_run_find(c, id)?, job_page(c, &query)?))
        })
        .await?;
    let (Some(run), mut rows) = found else { return Err(ApiError::NotFound(format!("there is no phase run {id}"))) };
    rows.sort_by_key(|job| job.origin.row);
    let jobs = api.job_bodies(&rows).await?;
    Ok(Json(PhaseRunBody { id, project: run.project, phase: run.phase, skipped: run.skipped, jobs }))
}
