//! `/users`: who may use the API, and what they were given.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use shuntyard_domain::access::{Place, Role};
use shuntyard_domain::wire::access::{ChangePassword, CreateUser, PatchUser, PutGrants, UserBody, UserList};

use super::Api;
use super::access::Caller;
use super::body::{ApiJson, ApiSecretJson};
use super::error::ApiError;
use super::path::PathUser;
use super::peer::Peer;
use crate::dispatch::AccountError;

pub(super) async fn list(State(api): State<Api>) -> Result<Json<UserList>, ApiError> {
    Ok(Json(UserList { users: api.dispatcher.users().await? }))
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    ApiSecretJson(wanted): ApiSecretJson<CreateUser>,
) -> Result<(StatusCode, Json<UserBody>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_user(wanted, &caller.name).await?)))
}

/// Everybody may look at themselves.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    PathUser(user): PathUser,
) -> Result<Json<UserBody>, ApiError> {
    if caller.holder.user.as_ref().is_none_or(|own| own.as_str() != user) {
        caller.check(&[Role::Admin], &Place::Enterprise)?;
    }
    Ok(Json(api.dispatcher.user(&user).await?))
}

pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    PathUser(user): PathUser,
    ApiSecretJson(patch): ApiSecretJson<PatchUser>,
) -> Result<Json<UserBody>, ApiError> {
    Ok(Json(api.dispatcher.patch_user(&user, patch, &caller.name).await?))
}

pub(super) async fn put_grants(
    State(api): State<Api>,
    caller: Caller,
    PathUser(user): PathUser,
    ApiJson(wanted): ApiJson<PutGrants>,
) -> Result<Json<UserBody>, ApiError> {
    Ok(Json(api.dispatcher.put_grants(&user, &wanted.grants, &caller.name).await?))
}

pub(super) async fn delete(State(api): State<Api>, PathUser(user): PathUser) -> Result<StatusCode, ApiError> {
    api.dispatcher.delete_user(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user's own: whoever knows the old one sets the new one.
pub(super) async fn change_password(
    State(api): State<Api>,
    caller: Caller,
    Extension(Peer(peer)): Extension<Peer>,
    PathUser(user): PathUser,
    ApiSecretJson(asked): ApiSecretJson<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    if caller.holder.user.as_ref().is_none_or(|own| own.as_str() != user) {
        return Err(AccountError::Forbidden.into());
    }
    api.dispatcher.change_password(peer.ip(), &caller.holder, asked).await?;
    Ok(StatusCode::NO_CONTENT)
}
