//! `/pools`: machines that are started on demand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::{DeletedPool, NewPool, PatchPool, PatchedPool, PoolBody};

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::pages::bad;
use super::path::PathPool;
use super::query::ApiQuery;
use crate::dispatch::Keep;

/// Makes a pool; this answer and that to `new_secret` are the only ones that hold its secret.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(mut keys): ApiJson<Map<String, Value>>,
) -> Result<(StatusCode, Json<NewPool>), ApiError> {
    let name = keys.remove("name");
    let name =
        name.as_ref().and_then(Value::as_str).ok_or_else(|| bad("name", "the pool has no name".into(), &["a text"]))?;
    let name: PoolName = name.parse().map_err(crate::dispatch::DispatchError::BadName)?;
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_pool(name, keys, &caller.name).await?)))
}

pub(super) async fn list(State(api): State<Api>) -> Result<Json<Vec<PoolBody>>, ApiError> {
    Ok(Json(api.dispatcher.pools().await?))
}

pub(super) async fn show(State(api): State<Api>, PathPool(name): PathPool) -> Result<Json<PoolBody>, ApiError> {
    Ok(Json(api.dispatcher.pool(&name).await?))
}

pub(super) async fn patch(
    State(api): State<Api>,
    PathPool(name): PathPool,
    ApiJson(patch): ApiJson<PatchPool>,
) -> Result<Json<PatchedPool>, ApiError> {
    let (about, secret) = api.dispatcher.patch_pool(&name, patch).await?;
    Ok(Json(PatchedPool { secret, about }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct DeleteQuery {
    /// Its machines stay as ordinary runners.
    #[serde(default)]
    keep: bool,
    /// As `keep`; machines on the way in or out are forgotten.
    #[serde(default)]
    force: bool,
}

/// 204 when it is gone; when it goes with its last machine, how many are to be stopped.
pub(super) async fn delete(
    State(api): State<Api>,
    PathPool(name): PathPool,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<Response, ApiError> {
    let keep = match (query.keep, query.force) {
        (_, true) => Keep::RunnersByForce,
        (true, false) => Keep::Runners,
        (false, false) => Keep::Nothing,
    };
    let left = api.dispatcher.delete_pool(&name, keep).await?;
    if left == 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(DeletedPool { machines_to_stop: left }).into_response())
}
