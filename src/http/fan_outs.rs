//! `/fan_outs`: one command on every matching runner.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::fan_out::FanOutStatus;
use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::wire::fan_out::{FanOutBody, FanOutPlanBody, RerunFanOut, SubmitFanOut};

use super::Api;
use super::access::{Caller, Commit, Look};
use super::body::ApiJson;
use super::error::ApiError;
use super::pages;
use super::path::PathId;
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use crate::dispatch::{DEFAULT, News};
use crate::store::FanOutQuery;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct FanOutFilter {
    #[schemars(extend("enum" = status_words()))]
    status: Option<String>,
    project: Option<String>,
    before: Option<FanOutId>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// What `status` may say.
fn status_words() -> Vec<&'static str> {
    ["all"].into_iter().chain(FanOutStatus::ALL.iter().map(|status| status.as_str())).collect()
}

impl FanOutFilter {
    fn query(self, caller: &Caller) -> Result<FanOutQuery, ApiError> {
        let status = self.status.filter(|word| word != "all");
        if let Some(word) = status.as_ref().filter(|word| word.parse::<FanOutStatus>().is_err()) {
            return Err(pages::bad("status", format!("there is no status `{word}`"), &status_words()));
        }
        if self.project.iter().flat_map(|project| project.chars()).any(char::is_control) {
            return Err(pages::bad("project", "the name holds a control character".into(), &["one line of text"]));
        }
        let limit = pages::limit(self.limit, "fan-outs")?;
        let within = caller.within(Look::ROLES);
        Ok(FanOutQuery { status, project: self.project, within, before: self.before, limit })
    }
}

pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(request): ApiJson<SubmitFanOut>,
) -> Result<(StatusCode, Json<FanOutBody>), ApiError> {
    caller.check(Commit::ROLES, &Place::of(DEFAULT, &request.job.project))?;
    let id = api.dispatcher.submit_fan_out(request, &caller.name).await?;
    Ok((StatusCode::CREATED, Json(api.dispatcher.fan_out_body(id).await?)))
}

/// What would become of it; nothing is stored.
pub(super) async fn plan(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(request): ApiJson<SubmitFanOut>,
) -> Result<Json<FanOutPlanBody>, ApiError> {
    caller.check(Commit::ROLES, &Place::of(DEFAULT, &request.job.project))?;
    Ok(Json(api.dispatcher.plan_fan_out(request).await?))
}

/// The rows that have not succeeded, as a new fan-out.
pub(super) async fn rerun(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<FanOutId>,
    ApiJson(request): ApiJson<RerunFanOut>,
) -> Result<(StatusCode, Json<FanOutBody>), ApiError> {
    let id = api.dispatcher.rerun_fan_out(id, request, &caller.name).await?;
    Ok((StatusCode::CREATED, Json(api.dispatcher.fan_out_body(id).await?)))
}

/// Newest first, without rows; a full page carries `Link: <…before=ID>; rel="next"`.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    ApiQuery(filter): ApiQuery<FanOutFilter>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let query = filter.query(&caller)?;
    let limit = query.limit as usize;
    let page = api.dispatcher.fan_out_bodies(query).await?;
    let next = page.last().filter(|_| page.len() == limit);
    let headers = next.map(|last| pages::next_page("fan_outs", &words, last.id)).unwrap_or_default();
    Ok((headers, Json(page)).into_response())
}

pub(super) async fn show(State(api): State<Api>, PathId(id): PathId<FanOutId>) -> Result<Json<FanOutBody>, ApiError> {
    Ok(Json(api.dispatcher.fan_out_body(id).await?))
}

/// `fan_out`: the whole of it at once, and again after every change of it or of one of its jobs.
pub(super) async fn streaming(
    State(api): State<Api>,
    PathId(id): PathId<FanOutId>,
    last: LastId,
) -> Result<EventStream, ApiError> {
    api.dispatcher.fan_out_body(id).await?;
    let matters = move |news: &News| *news == News::FanOut(id);
    Ok(sse::snapshots(
        api,
        last,
        "fan_out",
        matters,
        move |api| async move { Ok(api.dispatcher.fan_out_body(id).await?) },
    ))
}

/// In whatever state it is: 204.
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<FanOutId>,
) -> Result<StatusCode, ApiError> {
    api.dispatcher.cancel_fan_out(id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
