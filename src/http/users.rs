//! `/users`: who may use the API, and what they were given.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use shuntyard_domain::wire::access::{ChangePassword, CreateUser, PatchUser, PutGrants, UserBody, UserList};

use super::Api;
use super::body::{ApiJson, ApiSecretJson};
use super::enrolment::Peer;
use super::error::ApiError;
use super::path::PathUser;
use crate::dispatch::{AccountError, Holder};

/// Users are the enterprise's, and so are their admins.
fn admin(holder: &Holder) -> Result<(), AccountError> {
    if holder.is_admin() { Ok(()) } else { Err(AccountError::Forbidden) }
}

pub(super) async fn list(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
) -> Result<Json<UserList>, ApiError> {
    admin(&holder)?;
    Ok(Json(UserList { users: api.dispatcher.users().await? }))
}

pub(super) async fn create(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    ApiSecretJson(wanted): ApiSecretJson<CreateUser>,
) -> Result<(StatusCode, Json<UserBody>), ApiError> {
    admin(&holder)?;
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_user(wanted, &holder.name).await?)))
}

/// Everybody may look at themselves.
pub(super) async fn show(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    PathUser(user): PathUser,
) -> Result<Json<UserBody>, ApiError> {
    if holder.user.as_ref().is_none_or(|own| own.as_str() != user) {
        admin(&holder)?;
    }
    Ok(Json(api.dispatcher.user(&user).await?))
}

pub(super) async fn patch(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    PathUser(user): PathUser,
    ApiSecretJson(patch): ApiSecretJson<PatchUser>,
) -> Result<Json<UserBody>, ApiError> {
    admin(&holder)?;
    Ok(Json(api.dispatcher.patch_user(&user, patch, &holder.name).await?))
}

pub(super) async fn put_grants(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    PathUser(user): PathUser,
    ApiJson(wanted): ApiJson<PutGrants>,
) -> Result<Json<UserBody>, ApiError> {
    admin(&holder)?;
    Ok(Json(api.dispatcher.put_grants(&user, &wanted.grants, &holder.name).await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    PathUser(user): PathUser,
) -> Result<StatusCode, ApiError> {
    admin(&holder)?;
    api.dispatcher.delete_user(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user's own: whoever knows the old one sets the new one.
pub(super) async fn change_password(
    State(api): State<Api>,
    Extension(holder): Extension<Holder>,
    Extension(Peer(peer)): Extension<Peer>,
    PathUser(user): PathUser,
    ApiSecretJson(asked): ApiSecretJson<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    if holder.user.as_ref().is_none_or(|own| own.as_str() != user) {
        return Err(AccountError::Forbidden.into());
    }
    api.dispatcher.change_password(peer.ip(), &holder, asked).await?;
    Ok(StatusCode::NO_CONTENT)
}
