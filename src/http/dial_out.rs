//! Hosts that dial out: the endpoint, and which runner's host does.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::dial_out::{DialOutEndpointBody, SetDialOut};

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::PathHost;

/// Where hosts dial, and the key that they find there.
pub(super) async fn endpoint(State(api): State<Api>) -> Result<Json<DialOutEndpointBody>, ApiError> {
    Ok(Json(api.dispatcher.dial_out_endpoint()?.clone()))
}

/// Lets the host of a runner dial out with a key.
pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
    ApiJson(wanted): ApiJson<SetDialOut>,
) -> Result<Json<RunnerBody>, ApiError> {
    api.dispatcher.let_dial_out(&hostname, &wanted.public_key, &caller.name).await?;
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}

/// Connects to the runner from here again.
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    PathHost(hostname): PathHost,
) -> Result<Json<RunnerBody>, ApiError> {
    api.dispatcher.stop_dial_out(&hostname, &caller.name).await?;
    Ok(Json(api.dispatcher.runner_body(&hostname).await?))
}
