//! `/jump-hosts`: their records, Test, install, new host keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shuntyard_domain::wire::api::AcceptHostKey;
use shuntyard_domain::wire::jump_host::{CreateJumpHost, InstallJumpHost, JumpHostBody, PatchJumpHost};

use super::body::ApiJson;
use super::error::ApiError;
use super::path::PathJump;
use super::sse::EventStream;
use super::{Api, steps};

pub(super) async fn list(State(api): State<Api>) -> Json<Vec<JumpHostBody>> {
    Json(api.dispatcher.jump_host_bodies())
}

pub(super) async fn show(State(api): State<Api>, PathJump(name): PathJump) -> Result<Json<JumpHostBody>, ApiError> {
    Ok(Json(api.dispatcher.jump_host_body(&name)?))
}

/// Makes a record and a key pair; the answer has the line for `authorized_keys`.
pub(super) async fn create(
    State(api): State<Api>,
    ApiJson(wanted): ApiJson<CreateJumpHost>,
) -> Result<(StatusCode, Json<JumpHostBody>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.dispatcher.create_jump_host(wanted).await?)))
}

pub(super) async fn patch(
    State(api): State<Api>,
    PathJump(name): PathJump,
    ApiJson(body): ApiJson<PatchJumpHost>,
) -> Result<Json<JumpHostBody>, ApiError> {
    api.dispatcher.patch_jump_host(&name, body).await?;
    Ok(Json(api.dispatcher.jump_host_body(&name)?))
}

pub(super) async fn delete(State(api): State<Api>, PathJump(name): PathJump) -> Result<StatusCode, ApiError> {
    api.dispatcher.delete_jump_host(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bootstraps a jump host; the answer is a stream of its steps.
pub(super) async fn install(
    State(api): State<Api>,
    PathJump(name): PathJump,
    ApiJson(request): ApiJson<InstallJumpHost>,
) -> Result<EventStream, ApiError> {
    let steps = api.dispatcher.install_jump_host(name, request).await?;
    Ok(steps::answer(steps, api.dispatcher.stop_signal()))
}

/// Tests it; the answer is a stream of the steps.
pub(super) async fn test(State(api): State<Api>, PathJump(name): PathJump) -> Result<EventStream, ApiError> {
    let steps = api.dispatcher.test_jump_host(&name)?;
    Ok(steps::answer(steps, api.dispatcher.stop_signal()))
}

/// Confirms its host key, the first or a new one; the answer is a stream of the steps.
pub(super) async fn accept_host_key(
    State(api): State<Api>,
    PathJump(name): PathJump,
    ApiJson(request): ApiJson<AcceptHostKey>,
) -> Result<EventStream, ApiError> {
    let steps = api.dispatcher.accept_jump_host_key(&name, request.host_key)?;
    Ok(steps::answer(steps, api.dispatcher.stop_signal()))
}
