//! Errors as pages: what the API answers as JSON, for a browser.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shuntyard_domain::wire::api::ErrorBody;

use super::page::Page;
use super::viewer::Viewer;
use crate::http::Api;
use crate::http::accept::accepts;
use crate::http::access::Caller;
use crate::http::{error, request_id};

/// Bodies of errors are small.
const MAX_ERROR_BYTES: usize = 256 * 1024;

/// Makes a page of an error that is answered to a browser; the API's own routes answer JSON to everybody.
pub(in crate::http) async fn as_pages(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_api = path.starts_with("/api/") || path.starts_with("/workflow/");
    if is_api || !accepts(request.headers(), "text/html") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let response = next.run(Request::from_parts(parts.clone(), body)).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let viewer = Viewer::of(&parts);
    if parts.method.is_safe() && error::is_denied(&response) {
        return to_login(&viewer);
    }
    // Who is logged in keeps the bar, with the way out of a login that may do nothing.
    let caller = Caller::of(&api, &parts).await.ok();
    page(response, &Viewer { caller, ..viewer }).await
}

fn to_login(viewer: &Viewer) -> Response {
    let next = utf8_percent_encode(&viewer.address, NON_ALPHANUMERIC);
    Redirect::to(&format!("/login?next={next}")).into_response()
}

/// The error in words, with the server's sentence and the request's id.
async fn page(response: Response, viewer: &Viewer) -> Response {
    let (forbidden, denied) = (error::is_forbidden(&response), error::is_denied(&response));
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_ERROR_BYTES).await.unwrap_or_default();
    let told: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_else(|_| unsaid(forbidden));
    // The API speaks to programs.
    let message = match told.error.as_str() {
        // A login that is refused says so itself.
        _ if denied && !viewer.address.starts_with("/login") => {
            "You are not logged in any more. Log in in another window, then send this again."
        }
        "invalid_route" => "There is no such page.",
        _ => &told.message,
    };
    let title = parts.status.canonical_reason().unwrap_or("Error");
    // What the sentence does not name itself.
    let of = told.path.as_deref().filter(|path| !message.contains(path));
    let main = html! {
        section.error role="alert" data-path=[&told.path] {
            h1 { (title) }
            p.sentence { @if let Some(of) = of { code { (of) } ": " } (message) }
            @if !told.allowed.is_empty() && !message.contains(&told.allowed.join(", ")) { p { "Allowed: " (told.allowed.join(", ")) } }
            @for fault in &told.faults { p { code { (fault.path) } " " (fault.message) } }
            p.muted { "Request " code { (told.request_id) } }
            p { a href="/" { "To the overview" } }
        }
    };
    let mut page = Page::still(title, None, main).response(viewer);
    *page.status_mut() = parts.status;
    // What the answer said of itself, such as when to try again.
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = parts.headers.get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

/// Chef's answers to what one may not do have no body.
fn unsaid(forbidden: bool) -> ErrorBody {
    let message = if forbidden {
        "Your roles do not allow this here. An admin gives roles under Settings, Users."
    } else {
        "The server could not answer this."
    };
    ErrorBody {
        error: String::new(),
        message: message.into(),
        path: None,
        allowed: Vec::new(),
        faults: Vec::new(),
        request_id: request_id::current(),
    }
}
