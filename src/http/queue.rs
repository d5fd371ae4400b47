//! `/queue`: whether waiting jobs are started.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::access::Place;
use shuntyard_domain::wire::queue::{PauseQueue, QueueBody};

use super::Api;
use super::access::{Caller, Look};
use super::body::ApiJson;
use super::error::ApiError;

/// Who does not see all runners is not told of them by name.
pub(super) async fn show(State(api): State<Api>, caller: Caller) -> Json<QueueBody> {
    let mut standing = api.dispatcher.queue_standing();
    if caller.check(Look::ROLES, &Place::Enterprise).is_err() {
        standing.not_asked.clear();
        standing.unknown.clear();
    }
    Json(standing)
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
