//! Gives every request an id that its answer, its errors and its log lines carry.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that is being answered; empty outside of one.
pub(super) fn current() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

pub(super) async fn tag(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let span =
        tracing::info_span!("request", request.id = %id, method = %request.method(), path = request.uri().path());
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request).instrument(span.clone())).await;
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
