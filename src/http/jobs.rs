//! `/jobs`: the queue, one job, new jobs, cancelling.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::attempt::AttemptRecord;
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::{FanOutId, JobId, PhaseRunId};
use shuntyard_domain::job::Job;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::api::{
    AttemptBody, DeletedRunnerBody, JobBody, JobEventBody, RecordedBody, SubmitJob, Submitted,
};
use shuntyard_domain::wire::fan_out::{CancelJobs, CancelledJobs};
use shuntyard_domain::wire::time_text::rfc3339;

use super::Api;
use super::access::{Act, Caller, Commit, Look};
use super::body::ApiJson;
use super::error::ApiError;
use super::pages::{self, MAX_PAGE, bad};
use super::path::PathId;
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use crate::dispatch::{DEFAULT, News};
use crate::store::{
    JobEventRow, JobQuery, RecordedEvent, job_attempts, job_collected_find, job_events, job_page, job_receipt_find,
    jobs_runner_hostnames, runner_snapshot,
};

/// `GET /jobs` without `state` lists unfinished jobs, as Chef does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct JobFilter {
    /// Without it those that have not ended.
    #[schemars(extend("enum" = state_words()))]
    pub(super) state: Option<String>,
    pub(super) project: Option<String>,
    /// A part of the title, in any case of its letters.
    pub(super) title: Option<String>,
    pub(super) runner: Option<String>,
    pub(super) phase_run: Option<PhaseRunId>,
    pub(super) fan_out: Option<FanOutId>,
    pub(super) before: Option<JobId>,
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: Option<u32>,
}

/// What `state` may say.
fn state_words() -> Vec<&'static str> {
    ["all"].into_iter().chain(JobQuery::STATES.iter().copied()).collect()
}

impl JobFilter {
    /// # Errors
    /// `BadRequest` for a value that finds nothing, `NotFound` for a runner that there is not.
    pub(super) fn query(&self, api: &Api, caller: &Caller) -> Result<JobQuery, ApiError> {
        let limit = pages::limit(self.limit, "jobs")?;
        let state = self.state.clone().unwrap_or_else(|| "unfinished".into());
        if state != "all" && !JobQuery::STATES.contains(&state.as_str()) {
            return Err(bad("state", format!("there is no state `{state}`"), &state_words()));
        }
        for (key, text) in [("project", &self.project), ("title", &self.title)] {
            if text.iter().flat_map(|text| text.chars()).any(char::is_control) {
                return Err(bad(key, format!("`{key}` holds a control character"), &["one line of text"]));
            }
        }
        let runner = match &self.runner {
            Some(hostname) => Some(api.dispatcher.runner(hostname)?.id),
            None => None,
        };
        Ok(JobQuery {
            state: (state != "all").then_some(state),
            project: self.project.clone(),
            title: self.title.clone(),
            within: caller.within(Look::ROLES),
            runner,
            phase_run: self.phase_run,
            fan_out: self.fan_out,
            before: self.before,
            limit,
        })
    }
}

impl Api {
    /// The answer for one job as it is now.
    pub(super) async fn job_body(&self, job: &Job) -> Result<JobBody, ApiError> {
        let mut bodies = self.job_bodies(std::slice::from_ref(job)).await?;
        bodies.pop().ok_or(ApiError::NotFound(job.id.to_string()))
    }

    /// As `job_body`, with its attempts, its receipt and what it has left.
    pub(super) async fn whole_job_body(&self, job: &Job) -> Result<JobBody, ApiError> {
        let (mut body, id) = (self.job_body(job).await?, job.id);
        if body.attempt > 0 {
            let attempts: Vec<AttemptRecord> = self.dispatcher.store().read(move |c| job_attempts(c, id)).await?;
            body.attempts = attempts.iter().map(AttemptBody::from).collect();
        }
        if let Some(runner) = job.state.runner().filter(|runner| self.dispatcher.runner_name(*runner).is_none()) {
            let kept = self.dispatcher.store().read(move |c| runner_snapshot(c, runner)).await?;
            body.deleted_runner = kept.map(|(deleted_at_ms, runner)| DeletedRunnerBody::of(deleted_at_ms, runner));
        }
        if body.outcome.is_some() && body.started_at.is_some() {
            let left = self.dispatcher.store().read(move |c| job_collected_find(c, id)).await?;
            if let Some((collected, count)) = left {
                (body.outputs, body.outputs_fault) = (collected.outputs, collected.outputs_fault);
                (body.artifacts, body.artifacts_fault) = (count, collected.artifacts_fault);
            }
        }
        // Nothing else has a receipt, and nobody else waits for this read.
        if body.stop_reason.is_some() || body.lost_evidence.is_some() {
            body.receipt = self.dispatcher.store().read(move |c| job_receipt_find(c, id)).await?;
        }
        Ok(body)
    }

    /// What happened to a job, oldest first.
    pub(super) async fn job_history(&self, id: JobId) -> Result<Vec<JobEventBody>, ApiError> {
        let events = self.dispatcher.store().read(move |c| job_events(c, id)).await?;
        Ok(events.into_iter().map(event_body).collect())
    }

    /// The answers for jobs as they are now; a runner that was deleted keeps its name on its jobs.
    pub(super) async fn job_bodies(&self, jobs: &[Job]) -> Result<Vec<JobBody>, ApiError> {
        let dispatcher = &self.dispatcher;
        let name = |job: &Job| job.state.runner().and_then(|id| dispatcher.runner_name(id));
        let nameless = jobs.iter().filter(|job| job.state.runner().is_some() && name(job).is_none());
        let nameless: Vec<JobId> = nameless.map(|job| job.id).collect();
        let mut kept = BTreeMap::new();
        if !nameless.is_empty() {
            kept = dispatcher.store().read(move |c| jobs_runner_hostnames(c, &nameless)).await?;
        }
        let mut changes = dispatcher.changes_of_jobs(jobs).await?;
        let now_ms = dispatcher.clock().now_ms();
        let mut body = |job: &Job| {
            let stored = if job.state.is_finished() { 0 } else { dispatcher.logs().stored_bytes(job.attempt_id()) };
            let mut body = JobBody::of(job, name(job).or_else(|| kept.get(&job.id).cloned()), stored, now_ms);
            body.change = changes.remove(&job.id).unwrap_or_default();
            if stored > job.spec.output_cap_bytes
                && let Ok(Some(elided)) = dispatcher.logs().elided(job.attempt_id())
            {
                body = body.eliding(elided.end - elided.start);
            }
            body
        };
        Ok(jobs.iter().map(&mut body).collect())
    }

    pub(super) async fn page(&self, query: JobQuery) -> Result<Vec<JobBody>, ApiError> {
        let page = self.dispatcher.store().read(move |c| job_page(c, &query)).await;
        let page: Vec<Job> = page?;
        self.job_bodies(&page).await
    }
}

/// Newest first; a full page carries `Link: <…before=ID>; rel="next"`.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    ApiQuery(filter): ApiQuery<JobFilter>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let query = filter.query(&api, &caller)?;
    let limit = query.limit as usize;
    let page = api.page(query).await?;
    let next = page.last().filter(|_| page.len() == limit);
    let headers = next.map(|last| pages::next_page("jobs", &words, last.id)).unwrap_or_default();
    Ok((headers, Json(page)).into_response())
}

pub(super) async fn show(State(api): State<Api>, PathId(id): PathId<JobId>) -> Result<Json<JobBody>, ApiError> {
    Ok(Json(api.whole_job_body(&api.dispatcher.job(id).await?).await?))
}

pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(request): ApiJson<SubmitJob>,
) -> Result<(StatusCode, Json<JobBody>), ApiError> {
    caller.check(Commit::ROLES, &Place::of(DEFAULT, &request.project))?;
    let job = api.dispatcher.submit(request).await?;
    Ok((StatusCode::CREATED, Json(api.job_body(&job).await?)))
}

/// Chef's answer to a cancel is 204 for a job in any state.
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<StatusCode, ApiError> {
    api.dispatcher.cancel(id, &caller.name, StopReason::User).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Many jobs at a time; the answer names them as they were.
pub(super) async fn cancel_chosen(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(request): ApiJson<CancelJobs>,
) -> Result<Json<CancelledJobs>, ApiError> {
    let within = caller.within(Act::ROLES);
    Ok(Json(api.dispatcher.cancel_chosen_jobs(request, within, &caller.name).await?))
}

/// Why the job waits; 404 when it does not wait.
pub(super) async fn explain(State(api): State<Api>, PathId(id): PathId<JobId>) -> Result<Json<Explanation>, ApiError> {
    Ok(Json(explained(&api, id).await?))
}

/// Why the job waits, at once and again after every change that may matter; the stream ends when it waits no more.
pub(super) async fn explain_streaming(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    last: LastId,
) -> Result<EventStream, ApiError> {
    explained(&api, id).await?;
    let matters = |news: &News| matches!(news, News::Job(_) | News::Runner(_) | News::Removed(_) | News::Limits);
    Ok(sse::snapshots(api, last, "explanation", matters, move |api| async move { explained(&api, id).await }))
}

async fn explained(api: &Api, id: JobId) -> Result<Explanation, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let explanation = api.dispatcher.explain(&job).await?;
    explanation.ok_or_else(|| ApiError::NotFound(format!("job {id} does not wait: it is {}", job.state.name())))
}

/// The job's history, oldest first.
pub(super) async fn events(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<Vec<JobEventBody>>, ApiError> {
    let job = api.dispatcher.job(id).await?;
    Ok(Json(api.job_history(job.id).await?))
}

fn event_body(row: JobEventRow) -> JobEventBody {
    let event = match row.event {
        RecordedEvent::Submitted => RecordedBody::Submitted { event: Submitted::Submitted },
        RecordedEvent::Applied(event) => RecordedBody::Applied(event),
    };
    JobEventBody { seq: row.seq, at: rfc3339(row.at_ms), event }
}

/// Chef's `update_job_queue`: the whole queue at once, and again after every change.
pub(super) async fn streaming(State(api): State<Api>, caller: Caller, last: LastId) -> EventStream {
    sse::snapshots(
        api,
        last,
        "update_job_queue",
        |news| matches!(news, News::Job(_) | News::Removed(_)),
        move |api| {
            let caller = caller.clone();
            async move {
                let queue = JobFilter { limit: Some(MAX_PAGE), ..JobFilter::default() };
                api.page(queue.query(&api, &caller)?).await
            }
        },
    )
}
