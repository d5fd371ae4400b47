//! `/retention`: what would be removed now, and its removal.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::retention::RetentionBody;

use super::Api;
use super::error::ApiError;

pub(super) async fn plan(State(api): State<Api>) -> Result<Json<RetentionBody>, ApiError> {
    Ok(Json(api.dispatcher.retention_plan().await?))
}

pub(super) async fn apply(State(api): State<Api>) -> Result<Json<RetentionBody>, ApiError> {
    Ok(Json(api.dispatcher.apply_retention().await?))
}
