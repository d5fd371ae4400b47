//! `/runners`: the inventory, Test, install, delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use shuntyard_domain::access::Place;
use shuntyard_domain::runner::{Runner, Scope};
use shuntyard_domain::wire::api::{
    self as wire, AcceptHostKey, HealthBody, InstallRunner, PatchRunner, RunnerBody, RunnerEventBody, RunnerEventKind,
    StepEvent,
};
use shuntyard_domain::wire::time_text::rfc3339;
use tokio::sync::mpsc;

use super::accept::wants_stream;
use super::access::{Administer, Caller};
use super::body::{ApiJson, ApiSecretJson};
use super::error::ApiError;
use super::pages::bad;
use super::path::PathHost;
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use super::{Api, steps};
use crate::dispatch::{Removal, Removing};
use crate::store::{
    HostKeyAccepted, RunnerChanged, RunnerDeleted, RunnerEvent, RunnerEventRow, ValueChange, runner_events,
};

impl Api {
    /// The runners that the caller sees: those that serve all, and those of organisations in which a role is theirs.
    pub(super) async fn runners_seen(&self, caller: &Caller) -> Result<Vec<RunnerBody>, ApiError> {
        let mut bodies = self.dispatcher.runner_bodies().await?;
        bodies.retain(|body| sees(caller, &body.scope));
        Ok(bodies)
    }

    /// The records of those runners, by name.
    pub(super) fn runners_known(&self, caller: &Caller) -> Vec<Arc<Runner>> {
        let mut runners = self.dispatcher.runners();
        runners.retain(|runner| sees(caller, &runner.scope));
        runners
    }
}

/// Runners of no organisation serve, and are seen by, all.
fn sees(caller: &Caller, scope: &Scope) -> bool {
    scope.org().is_none_or(|org| caller.grants.sees(&Place::of(org, "")))
}

pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<RunnerBody>>, ApiError> {
    Ok(Json(api.runners_seen(&caller).await?))
}

pub(super) async fn show(State(api): State<Api>, PathHost(hostname): PathHost) -> Result<Json<RunnerBody>, ApiError> {
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}

/// Chef's `runners_state_updated`: the whole inventory at once, and again after every change.
pub(super) async fn streaming(State(api): State<Api>, caller: Caller, last: LastId) -> EventStream {
    // A job that starts or ends changes its runner's free slots: every change counts.
    sse::snapshots(
        api,
        last,
        "runners_state_updated",
        |_| true,
        move |api| {
            let caller = caller.clone();
            async move { api.runners_seen(&caller).await }
        },
    )
}

pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    ApiJson(body): ApiJson<PatchRunner>,
) -> Result<Json<RunnerBody>, ApiError> {
    if let Some(scope) = &body.scope {
        // Who may give a runner away is who has a say where it goes.
        caller.check(Administer::ROLES, &scope.org().map_or(Place::Enterprise, |org| Place::of(org, "")))?;
    }
    api.dispatcher.patch_runner(&hostname, body.into(), &caller.name).await?;
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}

/// Bootstraps a host; the answer is a stream of its steps.
pub(super) async fn install(
    State(api): State<Api>,
    PathHost(hostname): PathHost,
    ApiJson(request): ApiJson<InstallRunner>,
) -> Result<EventStream, ApiError> {
    let stop = api.dispatcher.stop_signal();
    if let Some(scope) = &request.scope {
        api.dispatcher.check_scope(scope.clone()).await?;
    }
    Ok(steps::answer(api.dispatcher.install(hostname, request)?, stop))
}

/// What Chef's client says of a new runner and what its host says of itself are two things; the host's word counts.
const TOLD_BY_THE_HOST: [&str; 5] = ["os", "platform", "platform_family", "platform_version", "openssh_public_key"];

/// Chef's way to add a runner: waits for the end of the bootstrap, and answers the runner with 200, as it does for one
/// that is there already. The keys are those of `install`, and `hostname`.
pub(super) async fn add(
    State(api): State<Api>,
    ApiSecretJson(mut body): ApiSecretJson<Map<String, Value>>,
) -> Result<Json<RunnerBody>, ApiError> {
    let hostname = match body.remove("hostname") {
        Some(Value::String(hostname)) => hostname,
        _ => return Err(bad("hostname", "the body does not say which host".into(), &["its name"])),
    };
    if let Ok(there) = api.dispatcher.runner_body(&hostname).await {
        return Ok(Json(there));
    }
    TOLD_BY_THE_HOST.iter().for_each(|key| drop(body.remove(*key)));
    let login = "`user` with `password` or `private_key`, and `host_key`, as at runners/HOSTNAME/install";
    let request: InstallRunner = serde_json::from_value(Value::Object(body))
        .map_err(|_| bad("user", "the body does not say how to log in to the new host".into(), &[login]))?;
    if let Some(scope) = &request.scope {
        api.dispatcher.check_scope(scope.clone()).await?;
    }
    wait_for_end(api.dispatcher.install(hostname.clone(), request)?).await?;
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}

/// Accepts the new host key of a quarantined runner; the answer is a stream of its steps.
pub(super) async fn accept_host_key(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    ApiJson(request): ApiJson<AcceptHostKey>,
) -> Result<EventStream, ApiError> {
    let steps = api.dispatcher.accept_host_key(&hostname, request.host_key, caller.name)?;
    Ok(steps::answer(steps, api.dispatcher.stop_signal()))
}

pub(super) async fn rotate_key(State(api): State<Api>, PathHost(hostname): PathHost) -> Result<EventStream, ApiError> {
    let steps = api.dispatcher.rotate_key(&hostname)?;
    Ok(steps::answer(steps, api.dispatcher.stop_signal()))
}

pub(super) async fn events(
    State(api): State<Api>,
    PathHost(hostname): PathHost,
) -> Result<Json<Vec<RunnerEventBody>>, ApiError> {
    Ok(Json(runner_history(&api, hostname).await?))
}

/// What people did to the runners of this name, oldest first; also after the last one was deleted.
///
/// # Errors
/// Those of the store.
pub(super) async fn runner_history(api: &Api, hostname: String) -> Result<Vec<RunnerEventBody>, ApiError> {
    let events: Vec<RunnerEventRow> = api.dispatcher.store().read(move |c| runner_events(c, &hostname)).await?;
    let body = |row: RunnerEventRow| RunnerEventBody { at: rfc3339(row.at_ms), event: row.event.into() };
    Ok(events.into_iter().map(body).collect())
}

impl From<RunnerEvent> for RunnerEventKind {
    fn from(event: RunnerEvent) -> Self {
        match event {
            RunnerEvent::HostKeyAccepted(HostKeyAccepted { by, before, after }) => {
                Self::HostKeyAccepted { by, before, after }
            }
            RunnerEvent::Changed(RunnerChanged { by, reason, changes }) => {
                let change = |change: ValueChange| wire::ValueChange { before: change.before, after: change.after };
                let changes = changes.into_iter().map(|(key, value)| (key, change(value))).collect();
                Self::Changed { by, reason, changes }
            }
            RunnerEvent::Deleted(RunnerDeleted { by, reason, runner }) => Self::Deleted { by, reason, runner },
        }
    }
}

/// The result of the last Test.
pub(super) async fn health(State(api): State<Api>, PathHost(hostname): PathHost) -> Result<Json<HealthBody>, ApiError> {
    Ok(Json(api.dispatcher.runner_body(&hostname).await?.health))
}

/// Tests a runner. With `Accept: text/event-stream` the steps are streamed; else Chef's way: the
/// answer is the runner with health `pending`, and the result shows in `GET /runners/:hostname`.
pub(super) async fn test(
    State(api): State<Api>,
    PathHost(hostname): PathHost,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let steps = api.dispatcher.test(&hostname).await?;
    if wants_stream(&headers) {
        return Ok(steps::answer(steps, api.dispatcher.stop_signal()).into_response());
    }
    Ok(Json(api.dispatcher.runner_body(&hostname).await?).into_response())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct DeleteQuery {
    /// Let it end its jobs first.
    #[serde(default)]
    drain: bool,
    /// Cancel its jobs first.
    #[serde(default)]
    cancel_jobs: bool,
    /// Delete the record although the host cannot be cleaned.
    #[serde(default)]
    force: bool,
    /// Why: one line, which stays in the runner's history.
    reason: Option<String>,
}

impl DeleteQuery {
    fn removal(&self) -> Result<Removal, ApiError> {
        match (self.drain, self.cancel_jobs, self.force) {
            (false, false, false) => Ok(Removal::Idle),
            (true, false, false) => Ok(Removal::Drained),
            (false, true, false) => Ok(Removal::Cancelled),
            (false, false, true) => Ok(Removal::Forced),
            _ => Err(bad("drain", "only one thing can become of its jobs".into(), &["drain, cancel_jobs or force"])),
        }
    }
}

/// Cleans the host and removes the runner: 204, or a stream of the steps when asked for.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    ApiQuery(query): ApiQuery<DeleteQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let removing = Removing { removal: query.removal()?, by: caller.name, reason: query.reason };
    let steps = api.dispatcher.uninstall(&hostname, removing).await?;
    if wants_stream(&headers) {
        return Ok(steps::answer(steps, api.dispatcher.stop_signal()).into_response());
    }
    wait_for_end(steps).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn wait_for_end(mut steps: mpsc::UnboundedReceiver<StepEvent>) -> Result<(), ApiError> {
    while let Some(step) = steps.recv().await {
        match step {
            StepEvent::Finished { .. } => return Ok(()),
            StepEvent::Failed { step, why, try_next, .. } => {
                return Err(ApiError::StepFailed(format!("{step}: {why}. {try_next}")));
            }
            StepEvent::HostKeyUnconfirmed { fingerprint, key_type } => {
                let why = format!("nobody has confirmed the host's key: it shows {key_type} {fingerprint}");
                return Err(bad("host_key", why, &["the fingerprint, once it was compared"]));
            }
            StepEvent::Began { .. } | StepEvent::Done { .. } | StepEvent::Probed { .. } => (),
        }
    }
    Err(ApiError::StepFailed("the operation was interrupted".into()))
}
