//! Small answers: liveness and what Chef's clients ask before anything else.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::status::{SamlBody, StatusBody};

use super::Api;
use super::error::ApiError;
use crate::store::setting_find;

/// Chef's status; `postgres` stands for whichever store this daemon has.
pub(super) async fn status(State(api): State<Api>) -> Json<StatusBody> {
    let asked = api.dispatcher.store().read(|c| setting_find(c, "status")).await;
    Json(StatusBody::of(asked.is_ok()))
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here now: not while it stops, nor when engine or store do not answer.
pub(super) async fn readyz(State(api): State<Api>) -> Result<&'static str, ApiError> {
    api.dispatcher.ready().await.map_err(ApiError::NotReady)?;
    Ok("ready\n")
}

pub(super) async fn saml() -> Json<SamlBody> {
    Json(SamlBody { enabled: false })
}
