//! What a client says that it takes.

use axum::http::{HeaderMap, header};

/// Whether the client names this media type.
pub(super) fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(kind))
}

/// Whether it wants the steps of what it asks for as they come.
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream")
}
