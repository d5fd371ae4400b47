//! `/metrics` in Prometheus' text format, and the count of requests in it.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::ApiError;

/// Version 0.0.4 of the text format is what every scraper reads.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Stands for every path that is no route.
const NO_ROUTE: &str = "none";

/// Everything that is counted.
pub(super) async fn scrape(State(api): State<Api>) -> Result<Response, ApiError> {
    let text = api.dispatcher.scrape().await?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}

/// Counts the request by the template of its route: paths hold names and ids without end.
pub(super) async fn measure(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let status = response.status().as_u16();
    api.dispatcher.metrics().http_answered(method.as_str(), route, status, began.elapsed());
    response
}
