//! `/users/:user/{get,verify,revoke}-token`: how Chef's clients log in, look whether they still are, and log out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use shuntyard_domain::wire::access::{GetToken, GotToken};
use shuntyard_domain::wire::status::{Verified, VerifiedBody};

use super::Api;
use super::access::Caller;
use super::body::ApiSecretJson;
use super::error::ApiError;
use super::path::PathUser;
use super::peer::Peer;
use crate::dispatch::AccountError;

/// The only answer that holds the token.
pub(super) async fn get_token(
    State(api): State<Api>,
    Extension(Peer(peer)): Extension<Peer>,
    PathUser(user): PathUser,
    ApiSecretJson(asked): ApiSecretJson<GetToken>,
) -> Result<Json<GotToken>, ApiError> {
    if asked.username != user {
        return Err(AccountError::Unauthorized.into());
    }
    Ok(Json(api.dispatcher.get_token(peer.ip(), asked).await?))
}

/// The token was checked on the way here.
pub(super) async fn verify_token(caller: Caller, PathUser(user): PathUser) -> Result<Json<VerifiedBody>, ApiError> {
    if caller.name == user {
        Ok(Json(VerifiedBody { status: Verified::Ok }))
    } else {
        Err(AccountError::TokenDenied.into())
    }
}

/// Revokes the token that comes with the request. A body is not looked at: Chef's clients differ in it.
pub(super) async fn revoke_token(
    State(api): State<Api>,
    caller: Caller,
    PathUser(user): PathUser,
) -> Result<StatusCode, ApiError> {
    if caller.name != user {
        return Err(AccountError::Forbidden.into());
    }
    api.dispatcher.revoke_token(&caller.holder, &caller.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
