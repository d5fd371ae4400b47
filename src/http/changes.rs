//! `/changes`: submit, list, watch, and act.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::pipelines::{PlanBody, PlanRequest, SubmitChange};

use super::Api;
use super::access::{Caller, Look};
use super::body::ApiJson;
use super::error::ApiError;
use super::pages;
use super::path::{PathChange, PathEnterprise, PathPipeline, PathStage, PathWithin};
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use crate::dispatch::{News, Trigger};
use crate::store::ChangeQuery;

/// Which changes a list holds. What the path says counts more.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ChangeFilter {
    org: Option<Name>,
    project: Option<Name>,
    pipeline: Option<Name>,
    #[schemars(extend("enum" = state_words()))]
    state: Option<String>,
    before: Option<ChangeId>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// What `state` may say.
fn state_words() -> Vec<&'static str> {
    ["all"].into_iter().chain(ChangeState::ALL.iter().map(|state| state.as_str())).collect()
}

impl ChangeFilter {
    fn query(self, within: PathWithin, caller: &Caller) -> Result<ChangeQuery, ApiError> {
        let state = match self.state.as_deref() {
            None | Some("all") => None,
            Some(word) => Some(
                word.parse().map_err(|_| pages::bad("state", format!("there is no state `{word}`"), &state_words()))?,
            ),
        };
        Ok(ChangeQuery {
            org: within.org.or(self.org),
            project: within.project.or(self.project),
            pipeline: within.pipeline.or(self.pipeline),
            within: caller.within(Look::ROLES),
            state,
            before: self.before,
            limit: pages::limit(self.limit, "changes")?,
        })
    }
}

impl Api {
    /// The change of a path, if it lies where the path says.
    async fn change_at(&self, path: &PathChange) -> Result<ChangeBody, ApiError> {
        let body = self.dispatcher.change_body(path.id).await?;
        let elsewhere = |(org, project): &(Name, Name)| *org != body.org || *project != body.project;
        if path.lies_in.as_ref().is_some_and(elsewhere) {
            return Err(ApiError::NotFound(format!("there is no change {} in this project", path.id)));
        }
        Ok(body)
    }
}

pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    PathPipeline(at): PathPipeline,
    ApiJson(request): ApiJson<SubmitChange>,
) -> Result<(StatusCode, Json<ChangeBody>), ApiError> {
    let id = api.dispatcher.submit_change(at, request, &caller.name).await?;
    Ok((StatusCode::CREATED, Json(api.dispatcher.change_body(id).await?)))
}

/// Newest first; a full page carries `Link: <…before=ID>; rel="next"`.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    PathEnterprise(enterprise): PathEnterprise,
    within: PathWithin,
    ApiQuery(filter): ApiQuery<ChangeFilter>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    if let (Some(org), Some(project)) = (&within.org, &within.project) {
        let found = api.dispatcher.project(enterprise.clone(), org.clone(), project.clone()).await?;
        if within.pipeline.as_ref().is_some_and(|pipeline| !found.holds.contains(pipeline)) {
            return Err(ApiError::NotFound("there is no such pipeline".into()));
        }
    }
    let query = filter.query(within, &caller)?;
    let limit = query.limit as usize;
    let page = api.dispatcher.change_bodies(enterprise, query).await?;
    let next = page.last().filter(|_| page.len() == limit);
    let headers = next.map(|last| pages::next_page("changes", &words, last.id)).unwrap_or_default();
    Ok((headers, Json(page)).into_response())
}

pub(super) async fn show(State(api): State<Api>, path: PathChange) -> Result<Json<ChangeBody>, ApiError> {
    Ok(Json(api.change_at(&path).await?))
}

/// `change`: the whole change at once, and again after every change of it or of one of its jobs.
pub(super) async fn streaming(State(api): State<Api>, path: PathChange, last: LastId) -> Result<EventStream, ApiError> {
    let id = api.change_at(&path).await?.id;
    let matters = move |news: &News| *news == News::Change(id);
    Ok(sse::snapshots(
        api,
        last,
        "change",
        matters,
        move |api| async move { Ok(api.dispatcher.change_body(id).await?) },
    ))
}

/// Chef's `merge`.
pub(super) async fn approve(State(api): State<Api>, caller: Caller, path: PathChange) -> Result<StatusCode, ApiError> {
    api.change_at(&path).await?;
    api.dispatcher.approve_change(path.id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Chef's `accept`.
pub(super) async fn deliver(State(api): State<Api>, caller: Caller, path: PathChange) -> Result<StatusCode, ApiError> {
    api.change_at(&path).await?;
    api.dispatcher.deliver_change(path.id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct TriggerQuery {
    /// Carry over the rows that passed.
    #[serde(default)]
    failed_only: bool,
}

pub(super) async fn trigger(
    State(api): State<Api>,
    caller: Caller,
    path: PathChange,
    PathStage(stage): PathStage,
    ApiQuery(query): ApiQuery<TriggerQuery>,
) -> Result<StatusCode, ApiError> {
    api.change_at(&path).await?;
    let what = Trigger { stage, failed_only: query.failed_only };
    api.dispatcher.trigger_stage(path.id, what, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn cancel(State(api): State<Api>, caller: Caller, path: PathChange) -> Result<StatusCode, ApiError> {
    api.change_at(&path).await?;
    api.dispatcher.cancel_change(path.id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the change up; its history stays.
pub(super) async fn close(State(api): State<Api>, caller: Caller, path: PathChange) -> Result<StatusCode, ApiError> {
    api.change_at(&path).await?;
    api.dispatcher.close_change(path.id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct PlanQuery {
    stage: Option<Stage>,
}

/// What a change would do, from its own source.
pub(super) async fn plan(
    State(api): State<Api>,
    path: PathChange,
    ApiQuery(query): ApiQuery<PlanQuery>,
) -> Result<Json<PlanBody>, ApiError> {
    api.change_at(&path).await?;
    Ok(Json(api.dispatcher.plan_of(path.id, query.stage.into_iter().collect()).await?))
}

/// What a change with this configuration would do; nothing is stored.
pub(super) async fn plan_for(
    State(api): State<Api>,
    PathPipeline(at): PathPipeline,
    ApiJson(request): ApiJson<PlanRequest>,
) -> Result<Json<PlanBody>, ApiError> {
    Ok(Json(api.dispatcher.plan_for(at, request).await?))
}
