//! Small answers: liveness and what Chef's clients ask before anything else.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use crate::store::setting_find;

/// Chef's status; `postgres` stands for whichever store this daemon has.
pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let asked = api.dispatcher.store().read(|c| setting_find(c, "status")).await;
    let store = if asked.is_ok() { "pong" } else { "fail" };
    let not_running = Pong { status: "not_running" };
    Json(Status {
        status: store,
        configuration_mode: "standalone",
        fips_mode: false,
        upstreams: [Upstreams { postgres: Pong { status: store }, lsyncd: not_running, rabbitmq: not_running }],
        a2_mode: false,
    })
}

/// Chef's object, with its keys in Chef's order.
#[derive(Serialize)]
pub(super) struct Status {
    status: &'static str,
    configuration_mode: &'static str,
    fips_mode: bool,
    upstreams: [Upstreams; 1],
    a2_mode: bool,
}

#[derive(Serialize)]
struct Upstreams {
    postgres: Pong,
    lsyncd: Pong,
    rabbitmq: Pong,
}

#[derive(Clone, Copy, Serialize)]
struct Pong {
    status: &'static str,
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn saml() -> Json<Value> {
    Json(json!({"enabled": false}))
}
