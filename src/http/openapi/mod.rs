//! The document of the API: OpenAPI 3.1, made from the wire types and the list of operations in `operations/`.
//!
//! It is served as JSON at `/api/openapi.json` and as pages for people at `/api/docs`. A test compares its operations
//! with the routes, and its shapes with what a server really answers.

mod document;
mod operation;
mod operations;
mod page;
mod parameters;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use serde_json::Value;

use super::access::Declared;

/// Nothing on the page comes from elsewhere, and nothing in it runs.
const POLICY: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, "default-src 'self'");
const NO_SNIFFING: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

/// The document; the same for the life of the process.
fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document::build(&operations::all(), &routes()));
    &DOCUMENT
}

/// Every route that is declared; `/metrics` as it is when the configuration does not open it.
fn routes() -> Vec<Declared> {
    [super::routes::tree(), super::routes::outside(false)].into_iter().flat_map(|part| part.into_declared()).collect()
}

/// `GET /api/openapi.json`
pub(super) async fn json() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// `GET /api/docs`
pub(super) async fn docs() -> impl IntoResponse {
    static PAGE: LazyLock<String> = LazyLock::new(|| page::render(document()));
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), POLICY, NO_SNIFFING], PAGE.as_str())
}

/// `GET /api/docs/style.css`
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), POLICY, NO_SNIFFING], include_str!("style.css"))
}
