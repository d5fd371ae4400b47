//! `/tokens`: those of people and of programs, made, listed and revoked.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use shuntyard_domain::wire::access::{CreateToken, NewToken, TokenList};

use super::Api;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::PathId;
use crate::dispatch::Holder;

pub(super) async fn list(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
) -> Result<Json<TokenList>, ApiError> {
    Ok(Json(TokenList { tokens: api.dispatcher.tokens(&holder).await? }))
}

/// Makes a token; this answer is the only one that holds it.
pub(super) async fn create(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    ApiJson(wanted): ApiJson<CreateToken>,
) -> Result<(StatusCode, Json<NewToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_token(&holder, wanted).await?)))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    PathId(id): PathId<String>,
) -> Result<StatusCode, ApiError> {
    api.dispatcher.revoke_token(&holder, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
