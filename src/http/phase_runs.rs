//! `/phase_runs`: the jobs of one phase, submitted together; and Chef's phase runs, each of which is one job here.

use std::io;

use anstream::adapter::StripBytes;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{ChangeId, JobId, PhaseRunId};
use shuntyard_domain::job::Job;
use shuntyard_domain::project_config::MAX_ROWS;
use shuntyard_domain::tenancy::PipelinePath;
use shuntyard_domain::wire::api::{JobBody, PhaseRunBody, SubmitPhaseRun};

use super::Api;
use super::access::{Caller, Commit};
use super::body::ApiJson;
use super::error::ApiError;
use super::log::log_body;
use super::path::{PathId, PathPipeline};
use super::query::ApiQuery;
use crate::dispatch::DEFAULT;
use crate::store::{JobQuery, StoreError, change_find, changes_of_jobs, job_page, phase_run_find};

pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(request): ApiJson<SubmitPhaseRun>,
) -> Result<(StatusCode, Json<PhaseRunBody>), ApiError> {
    caller.check(Commit::ROLES, &Place::of(DEFAULT, &request.project))?;
    let (project, phase) = (request.project.clone(), request.phase);
    let (id, jobs) = api.dispatcher.submit_phase_run(request).await?;
    let jobs = api.job_bodies(&jobs).await?;
    Ok((StatusCode::CREATED, Json(PhaseRunBody { id, project, phase, skipped: jobs.is_empty(), jobs })))
}

pub(super) async fn show(
    State(api): State<Api>,
    PathId(id): PathId<PhaseRunId>,
) -> Result<Json<PhaseRunBody>, ApiError> {
    Ok(Json(api.phase_run_body(id).await?))
}

impl Api {
    /// The phase run with its jobs as they are now.
    pub(super) async fn phase_run_body(&self, id: PhaseRunId) -> Result<PhaseRunBody, ApiError> {
        let read = self.dispatcher.store().read(move |c| {
            let query = JobQuery { phase_run: Some(id), limit: MAX_ROWS.into(), ..JobQuery::default() };
            Ok::<_, StoreError>((phase_run_find(c, id)?, job_page(c, &query)?))
        });
        let (Some(run), mut rows) = read.await? else {
            return Err(ApiError::NotFound(format!("there is no phase run {id}")));
        };
        rows.sort_by_key(|job| job.origin.row);
        let jobs = self.job_bodies(&rows).await?;
        Ok(PhaseRunBody { id, project: run.project, phase: run.phase, skipped: run.skipped, jobs })
    }

    /// The job of a row of a change of this pipeline.
    async fn row_job(&self, at: PipelinePath, id: JobId) -> Result<Job, ApiError> {
        let job = self.dispatcher.job(id).await?;
        let read = self.dispatcher.store().read(move |c| {
            let found: Option<ChangeId> = changes_of_jobs(c, &[id])?.remove(&id).map(|(change, _)| change);
            Ok::<_, StoreError>(found.map(|change| change_find(c, change)).transpose()?.flatten())
        });
        match read.await? {
            Some(change) if change.at == at => Ok(job),
            _ => Err(ApiError::NotFound(format!("there is no phase run {id} in pipeline {at}"))),
        }
    }
}

/// One row of a phase of a change.
pub(super) async fn row(
    State(api): State<Api>,
    PathPipeline(at): PathPipeline,
    PathId(id): PathId<JobId>,
) -> Result<Json<JobBody>, ApiError> {
    Ok(Json(api.whole_job_body(&api.row_job(at, id).await?).await?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct LogQuery {
    /// Leave terminal escapes as they are.
    #[serde(default)]
    colorize: bool,
}

/// The row's output as a file for people.
pub(super) async fn row_log(
    State(api): State<Api>,
    PathPipeline(at): PathPipeline,
    PathId(id): PathId<JobId>,
    ApiQuery(query): ApiQuery<LogQuery>,
) -> Result<Response, ApiError> {
    let job = api.row_job(at, id).await?;
    api.log_is_kept(&job).await?;
    let attempt = job.attempt_id();
    let length = api.dispatcher.logs().stored_bytes(attempt);
    let output = log_body(api, attempt, 0, length, true);
    let body = if query.colorize { Body::from_stream(output) } else { Body::from_stream(without_escapes(output)) };
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{id}.log\"")).ok();
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, disposition.map(|value| [(header::CONTENT_DISPOSITION, value)]), body).into_response())
}

/// The same bytes without terminal escapes, also those that lie across two pieces.
fn without_escapes(
    output: impl Stream<Item = io::Result<Bytes>> + Send,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let mut strip = StripBytes::new();
    output.map_ok(move |piece| strip.strip_next(&piece).flatten().copied().collect::<Bytes>())
}
