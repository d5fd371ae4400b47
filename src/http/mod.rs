//! The HTTP API: Chef's resource tree with our additions, as JSON and event streams.

mod artifacts;
mod auth;
mod body;
mod changes;
mod dial_out;
mod enrolment;
mod error;
mod fan_outs;
mod jobs;
mod jump_hosts;
mod limits;
mod log;
mod metrics;
mod pages;
mod path;
mod phase_runs;
mod pools;
mod query;
mod request_id;
mod runners;
mod secrets;
mod serve;
mod sse;
mod status;
mod steps;
mod tenancy;
mod webhooks;
mod workspaces;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::dispatch::Dispatcher;

pub use auth::{AdminToken, TokenError};

/// A request body larger than this is refused; scripts and configurations fit easily.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What every handler is given.
#[derive(Clone)]
pub struct Api {
    pub dispatcher: Dispatcher,
    /// `/metrics` is answered without a token.
    pub metrics_open: bool,
}

/// All routes.
pub fn router(api: Api) -> Router {
    let tree = Router::new()
        .route("/runners", get(runners::list))
        .route("/runners/streaming", get(runners::streaming))
        .route("/runners/{hostname}", get(runners::show).patch(runners::patch).delete(runners::delete))
        .route("/runners/{hostname}/health", get(runners::health).post(runners::test))
        .route("/runners/{hostname}/install", post(runners::install))
        .route("/runners/{hostname}/accept-host-key", post(runners::accept_host_key))
        .route("/runners/{hostname}/approve", post(enrolment::approve))
        .route("/runners/{hostname}/dial-out", put(dial_out::set).delete(dial_out::remove))
        .route("/runners/{hostname}/events", get(runners::events))
        .route("/dial-out", get(dial_out::endpoint))
        .route("/enrolment-tokens", get(enrolment::list).post(enrolment::create))
        .route("/enrolment-tokens/{id}", delete(enrolment::revoke))
        .nest("/webhooks", webhook_routes())
        .route("/jump-hosts", get(jump_hosts::list).post(jump_hosts::create))
        .nest("/jump-hosts/{jump_host}", jump_host_routes())
        .route("/pools", get(pools::list).post(pools::create))
        .route("/pools/{pool}", get(pools::show).patch(pools::patch).delete(pools::delete))
        .route("/jobs", get(jobs::list).post(jobs::submit))
        .route("/jobs/streaming", get(jobs::streaming))
        .route("/jobs/cancel", post(jobs::cancel_chosen))
        .route("/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/jobs/{id}/explain", get(jobs::explain))
        .route("/jobs/{id}/explain/streaming", get(jobs::explain_streaming))
        .route("/jobs/{id}/events", get(jobs::events))
        .route("/jobs/{id}/artifacts", get(artifacts::list))
        .route("/jobs/{id}/artifacts/{*path}", get(artifacts::download))
        .route("/jobs/{id}/log", get(log::download))
        .route("/jobs/{id}/log/streaming", get(log::streaming))
        .route("/phase_runs", post(phase_runs::submit))
        .route("/phase_runs/{id}", get(phase_runs::show))
        .route("/fan_outs", get(fan_outs::list).post(fan_outs::submit))
        .route("/fan_outs/plan", post(fan_outs::plan))
        .route("/fan_outs/{id}", get(fan_outs::show).delete(fan_outs::cancel))
        .route("/fan_outs/{id}/rerun", post(fan_outs::rerun))
        .route("/fan_outs/{id}/streaming", get(fan_outs::streaming))
        .route("/workspaces/{id}", get(workspaces::show).put(workspaces::submit))
        .route("/workspaces/{id}/files", put(workspaces::receive))
        .route("/changes", get(changes::list))
        .nest("/changes/{id}", change_routes())
        .route("/orgs", get(tenancy::orgs).post(tenancy::create_org))
        .nest("/orgs/{org}", org_routes())
        .route("/users/{user}/verify-token", get(status::verify_token))
        .layer(from_fn(query::known_keys))
        .layer(from_fn(path::known_enterprise))
        .layer(from_fn_with_state(api.clone(), auth::require))
        .merge(open_routes());
    Router::new()
        .nest("/api/v0/e/{enterprise}", tree.clone())
        .nest("/workflow/api/v0/e/{enterprise}", tree)
        .route("/enrol.sh", get(enrolment::script))
        .route("/api/_status", get(status::status))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .merge(metrics::routes(&api))
        .fallback(error::invalid_route)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(api.clone(), metrics::measure))
        .layer(from_fn(request_id::tag))
        .with_state(api)
}

/// What is answered without an API token; a host that enrols itself has a token of its own.
fn open_routes() -> Router<Api> {
    let enrol = post(enrolment::enrol).layer(DefaultBodyLimit::max(body::MAX_TEXT_BYTES));
    Router::new()
        .route("/enrol", enrol)
        .layer(from_fn(query::known_keys))
        .layer(from_fn(path::known_enterprise))
        .route("/saml/enabled", get(status::saml))
}

/// Who is told of events.
fn webhook_routes() -> Router<Api> {
    Router::new()
        .route("/", get(webhooks::list).post(webhooks::create))
        .route("/{id}", get(webhooks::show).patch(webhooks::patch).delete(webhooks::delete))
        .route("/{id}/secret", post(webhooks::rotate))
        .route("/{id}/test", post(webhooks::ping))
        .route("/{id}/deliveries", get(webhooks::deliveries))
        .route("/{id}/deliveries/{delivery}/redeliver", post(webhooks::redeliver))
}

fn jump_host_routes() -> Router<Api> {
    Router::new()
        .route("/", get(jump_hosts::show).patch(jump_hosts::patch).delete(jump_hosts::delete))
        .route("/install", post(jump_hosts::install))
        .route("/health", post(jump_hosts::test))
        .route("/accept-host-key", post(jump_hosts::accept_host_key))
}

/// One change, by its id alone or in its project.
fn change_routes() -> Router<Api> {
    Router::new()
        .route("/", get(changes::show).delete(changes::close))
        .route("/streaming", get(changes::streaming))
        .route("/plan", get(changes::plan))
        .route("/merge", post(changes::approve))
        .route("/accept", post(changes::deliver))
        .route("/trigger/{stage}", post(changes::trigger))
        .route("/cancel", post(changes::cancel))
}

/// What lies in an organisation.
fn org_routes() -> Router<Api> {
    let pipeline = Router::new()
        .route("/", get(tenancy::pipeline))
        .route("/changes", get(changes::list).post(changes::submit))
        .route("/plan", post(changes::plan_for))
        .route("/phase_runs/{id}", get(phase_runs::row))
        .route("/phase_runs/{id}/log", get(phase_runs::row_log));
    let project = Router::new()
        .route("/", get(tenancy::project))
        .route("/limits", get(limits::show).put(limits::put))
        .route("/changes", get(changes::list))
        .nest("/changes/{id}", change_routes())
        .route("/secrets", get(secrets::list))
        .route("/secrets/{secret}", put(secrets::set).delete(secrets::delete))
        .route("/pipelines", get(tenancy::pipelines).post(tenancy::create_pipeline))
        .nest("/pipelines/{pipeline}", pipeline);
    Router::new()
        .route("/", get(tenancy::org))
        .route("/projects", get(tenancy::projects).post(tenancy::create_project))
        .nest("/projects/{project}", project)
}

/// Serves until `stop`; requests under way are finished, streams end by themselves on the same signal.
pub async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    serve::serve(listener, router(api), stop).await;
}
