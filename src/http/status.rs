//! Small answers: liveness and what Chef's clients ask before anything else.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::status::{SamlBody, StatusBody};

use super::Api;
use crate::store::setting_find;

/// Chef's status; `postgres` stands for whichever store this daemon has.
pub(super) async fn status(State(api): State<Api>) -> Json<StatusBody> {
    let asked = api.dispatcher.store().read(|c| setting_find(c, "status")).await;
    Json(StatusBody::of(asked.is_ok()))
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn saml() -> Json<SamlBody> {
    Json(SamlBody { enabled: false })
}
