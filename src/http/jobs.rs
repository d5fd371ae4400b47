//! `/jobs`: the queue, one job, new jobs, cancelling.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::job::Job;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::api::{JobBody, SubmitJob};
use tokio::sync::broadcast::error::RecvError;

use super::Api;
use super::body::ApiJson;
use super::error::ApiError;
use super::query::{ApiQuery, PathId};
use super::sse::{self, EventStream};
use crate::dispatch::Change;
use crate::store::job_events::JobEventRow;
use crate::store::jobs::{self, JobQuery};
use crate::store::{StoreError, job_events};

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;
/// Whole-list streams send at most one list in this time.
const LIST_PAUSE: Duration = Duration::from_millis(200);

/// `GET /jobs` without `state` lists unfinished jobs, as Chef does.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobFilter {
    state: Option<String>,
    project: Option<String>,
    runner: Option<String>,
    phase_run: Option<PhaseRunId>,
    before: Option<JobId>,
    limit: Option<u32>,
    /// Chef's stream clients send their token here.
    #[serde(rename = "chef-delivery-token")]
    _token: Option<String>,
    #[serde(rename = "chef-delivery-user")]
    _user: Option<String>,
}

impl JobFilter {
    fn query(&self, api: &Api) -> Result<JobQuery, ApiError> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(bad("limit", format!("{limit} jobs a page"), &["1 to 500"]));
        }
        let state = self.state.clone().unwrap_or_else(|| "unfinished".into());
        if !JobQuery::STATES.contains(&state.as_str()) {
            return Err(bad("state", format!("there is no state `{state}`"), JobQuery::STATES));
        }
        let runner = match &self.runner {
            Some(hostname) => Some(api.dispatcher.runner(hostname)?.id),
            None => None,
        };
        Ok(JobQuery {
            state: (state != "all").then_some(state),
            project: self.project.clone(),
            runner,
            phase_run: self.phase_run,
            before: self.before,
            limit,
        })
    }
}

fn bad(path: &str, message: String, allowed: &[&str]) -> ApiError {
    let allowed = allowed.iter().map(|a| (*a).to_owned()).collect();
    ApiError::BadRequest { path: Some(path.into()), message, allowed }
}

impl Api {
    /// The answer for one job as it is now.
    pub(super) fn job_body(&self, job: &Job) -> JobBody {
        let dispatcher = &self.dispatcher;
        let runner = job.state.runner().and_then(|id| dispatcher.runner_name(id));
        let stored = if job.state.is_finished() { 0 } else { dispatcher.logs().stored_bytes(job.attempt_id()) };
        JobBody::of(job, runner, stored, dispatcher.clock().now_ms())
    }

    async fn page(&self, query: JobQuery) -> Result<Vec<JobBody>, ApiError> {
        let page = self.dispatcher.store().read(move |c| jobs::job_page(c, &query)).await;
        let page: Vec<Job> = page.map_err(|e: StoreError| e)?;
        Ok(page.iter().map(|job| self.job_body(job)).collect())
    }
}

/// Newest first; a full page carries `Link: <…before=ID>; rel="next"`.
pub(super) async fn list(
    State(api): State<Api>,
    ApiQuery(filter): ApiQuery<JobFilter>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let query = filter.query(&api)?;
    let limit = query.limit as usize;
    let page = api.page(query).await?;
    let mut headers = HeaderMap::new();
    if let (true, Some(last)) = (page.len() == limit, page.last()) {
        let others = words.iter().filter(|(name, _)| name != "before" && !name.starts_with("chef-"));
        let mut next: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
        next.push_str(&format!("before={}", last.id));
        if let Ok(link) = HeaderValue::from_str(&format!("<jobs?{next}>; rel=\"next\"")) {
            headers.insert(header::LINK, link);
        }
    }
    Ok((headers, Json(page)).into_response())
}

pub(super) async fn show(State(api): State<Api>, PathId(id): PathId<JobId>) -> Result<Json<JobBody>, ApiError> {
    Ok(Json(api.job_body(&api.dispatcher.job(id).await?)))
}

pub(super) async fn submit(
    State(api): State<Api>,
    ApiJson(request): ApiJson<SubmitJob>,
) -> Result<(StatusCode, Json<JobBody>), ApiError> {
    let job = api.dispatcher.submit(request).await?;
    Ok((StatusCode::CREATED, Json(api.job_body(&job))))
}

/// Chef's answer to a cancel is 204 for a job in any state.
pub(super) async fn cancel(State(api): State<Api>, PathId(id): PathId<JobId>) -> Result<StatusCode, ApiError> {
    api.dispatcher.cancel(id, "admin", StopReason::User).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why the job waits; 404 when it does not wait.
pub(super) async fn explain(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<Explanation>, ApiError> {
    let job = api.dispatcher.job(id).await?;
    match api.dispatcher.explain(job.id).await {
        Some(explanation) => Ok(Json(explanation)),
        None => Err(ApiError::NotFound(format!("job {id} does not wait: it is {}", job.state.name()))),
    }
}

/// The job's history, oldest first.
pub(super) async fn events(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<Vec<JobEventRow>>, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let events = api.dispatcher.store().read(move |c| job_events::job_events(c, job.id)).await;
    Ok(Json(events.map_err(|e: StoreError| e)?))
}

/// Chef's `update_job_queue`: the whole queue at once, and again after every change.
pub(super) async fn streaming(State(api): State<Api>) -> EventStream {
    let (stop, changes) = (api.dispatcher.stop_signal(), api.dispatcher.feed().changes());
    let lists = stream::unfold((api, changes, true), |(api, mut changes, mut first)| async move {
        while !std::mem::take(&mut first) {
            match changes.recv().await {
                Ok(Change::Job(_)) | Err(RecvError::Lagged(_)) => break,
                Ok(Change::Runner(_)) => (),
                Err(RecvError::Closed) => return None,
            }
        }
        tokio::time::sleep(LIST_PAUSE).await;
        changes = changes.resubscribe();
        let queue = api.page(JobFilter { limit: Some(MAX_PAGE), ..JobFilter::default() }.query(&api).ok()?).await.ok()?;
        Some((sse::event("update_job_queue", &queue), (api, changes, false)))
    });
    sse::answer(lists, stop)
}
