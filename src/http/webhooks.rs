//! `/webhooks`: who is told of events, and what was sent.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::wire::webhook::{CreateWebhook, DeliveryBody, NewWebhook, PatchWebhook, PingBody, WebhookBody};
use uuid::Uuid;

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::pages;
use super::path::{PathDelivery, PathId};
use super::query::ApiQuery;

/// Makes a webhook; this answer is the only one that holds its secret.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(wanted): ApiJson<CreateWebhook>,
) -> Result<(StatusCode, Json<NewWebhook>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_webhook(wanted, &caller.name).await?)))
}

pub(super) async fn list(State(api): State<Api>) -> Result<Json<Vec<WebhookBody>>, ApiError> {
    Ok(Json(api.dispatcher.webhooks().await?))
}

pub(super) async fn show(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Json<WebhookBody>, ApiError> {
    Ok(Json(api.dispatcher.webhook(&id).await?))
}

pub(super) async fn patch(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    ApiJson(patch): ApiJson<PatchWebhook>,
) -> Result<Json<WebhookBody>, ApiError> {
    Ok(Json(api.dispatcher.patch_webhook(&id, patch).await?))
}

pub(super) async fn delete(State(api): State<Api>, PathId(id): PathId<String>) -> Result<StatusCode, ApiError> {
    api.dispatcher.delete_webhook(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes another secret; this answer is the only one that holds it.
pub(super) async fn rotate(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Json<NewWebhook>, ApiError> {
    Ok(Json(api.dispatcher.rotate_webhook(&id).await?))
}

/// Sends a message of type `ping`. The answer is 200 also when the receiver does not like it: it says so.
pub(super) async fn ping(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Json<PingBody>, ApiError> {
    Ok(Json(api.dispatcher.ping_webhook(&id).await?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Page {
    before: Option<Uuid>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Newest first; a full page carries `Link: <…before=ID>; rel="next"`.
pub(super) async fn deliveries(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    ApiQuery(page): ApiQuery<Page>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let limit = pages::limit(page.limit, "deliveries")?;
    let before = page.before.map(|before| before.to_string());
    let found = api.dispatcher.webhook_deliveries(&id, before, limit).await?;
    let next = found.last().filter(|_| found.len() == limit as usize);
    let headers = next.map(|last| pages::next_page("deliveries", &words, &last.id)).unwrap_or_default();
    Ok((headers, Json(found)).into_response())
}

pub(super) async fn redeliver(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    PathDelivery(delivery): PathDelivery,
) -> Result<Json<DeliveryBody>, ApiError> {
    Ok(Json(api.dispatcher.redeliver(&id, &delivery).await?))
}
