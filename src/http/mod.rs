//! The HTTP API: Chef's resource tree with our additions, as JSON and event streams.

mod accept;
mod access;
mod artifacts;
mod audit;
mod auth;
mod body;
mod changes;
mod dial_out;
mod enrolment;
mod error;
mod events;
mod fan_outs;
mod idempotency;
mod jobs;
mod jump_hosts;
mod limits;
mod log;
mod log_lines;
mod login;
mod metrics;
mod open_streams;
mod openapi;
mod pages;
mod path;
mod peer;
mod phase_runs;
mod pools;
mod query;
mod queue;
mod rate;
mod request_id;
mod retention;
mod routes;
mod runners;
mod secrets;
mod serve;
mod sse;
mod status;
mod steps;
mod tenancy;
mod tokens;
mod ui;
mod users;
mod webhooks;
mod workspaces;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::dispatch::Dispatcher;

pub use access::{At, Declared, Needs};
pub use auth::{AdminToken, TokenError};
pub use open_streams::OpenStreams;
pub use rate::{RateLimits, Rates};
pub use serve::Door;

/// A request body larger than this is refused; scripts and configurations fit easily.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What every handler is given.
#[derive(Clone)]
pub struct Api {
    pub dispatcher: Dispatcher,
    /// `/metrics` is answered without a token.
    pub metrics_open: bool,
    pub rates: Arc<Rates>,
    pub streams: OpenStreams,
}

/// All routes.
pub fn router(api: Api) -> Router {
    let tree = || routes::tree().into_router();
    Router::new()
        .nest("/api/v0/e/{enterprise}", tree())
        .nest("/workflow/api/v0/e/{enterprise}", tree())
        .merge(routes::outside(api.metrics_open).into_router())
        .merge(ui::routes().into_router())
        .fallback(error::invalid_route)
        .method_not_allowed_fallback(error::method_not_allowed)
        // The guards ask it who may.
        .layer(Extension(api.clone()))
        .layer(Extension(idempotency::Requests::default()))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(api.clone(), ui::as_pages))
        .layer(from_fn_with_state(api.clone(), metrics::measure))
        .layer(from_fn(request_id::tag))
        .with_state(api)
}

/// Every page and what its forms do, with what it asks for.
#[must_use]
pub fn declared_pages() -> Vec<Declared> {
    ui::routes().into_declared()
}

/// Every route below an enterprise, with what it asks for.
#[must_use]
pub fn declared_routes() -> Vec<Declared> {
    routes::tree().into_declared()
}

/// Serves until `stop`; requests under way are finished, streams end by themselves on the same signal.
pub async fn serve(listener: TcpListener, door: Door, api: Api, stop: CancellationToken) {
    serve::serve(listener, door, router(api), stop).await;
}
