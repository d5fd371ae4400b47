//! Small answers: liveness and what Chef's clients ask before anything else.

use axum::Json;
use serde_json::{Value, json};

pub(super) async fn status() -> Json<Value> {
    Json(json!({
        "status": "pong",
        "configuration_mode": "standalone",
        "fips_mode": false,
        "upstreams": [{
            "postgres": {"status": "pong"},
            "lsyncd": {"status": "not_running"},
            "rabbitmq": {"status": "not_running"},
        }],
        "a2_mode": false,
    }))
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn saml() -> Json<Value> {
    Json(json!({"enabled": false}))
}

pub(super) async fn orgs() -> Json<Value> {
    Json(json!({"orgs": [{"name": crate::dispatch::DEFAULT}]}))
}

/// The token was checked on the way here.
pub(super) async fn verify_token() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
