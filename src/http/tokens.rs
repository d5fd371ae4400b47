//! `/tokens`: those of people and of programs, made, listed and revoked.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shuntyard_domain::wire::access::{CreateToken, NewToken, TokenList};

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::PathId;

pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<TokenList>, ApiError> {
    Ok(Json(TokenList { tokens: api.dispatcher.tokens(&caller.holder).await? }))
}

/// Makes a token; this answer is the only one that holds it.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    ApiJson(wanted): ApiJson<CreateToken>,
) -> Result<(StatusCode, Json<NewToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_token(&caller.holder, wanted).await?)))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<StatusCode, ApiError> {
    api.dispatcher.revoke_token(&caller.holder, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
