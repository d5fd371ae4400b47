//! `/queue`: whether waiting jobs are started.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::queue::{PauseQueue, QueueBody};

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;

pub(super) async fn show(State(api): State<Api>) -> Json<QueueBody> {
    Json(api.dispatcher.queue_standing())
}

pub(super) async fn pause(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(body): ApiJson<PauseQueue>,
) -> Result<Json<QueueBody>, ApiError> {
    Ok(Json(api.dispatcher.pause_queue(caller.name, body.reason).await?))
}

pub(super) async fn resume(State(api): State<Api>) -> Result<Json<QueueBody>, ApiError> {
    Ok(Json(api.dispatcher.resume_queue().await?))
}
