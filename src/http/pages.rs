//! Lists that come page by page, newest first.

use std::fmt::Display;

use axum::http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::ApiError;

/// Entries of a page unless `limit` says otherwise.
const DEFAULT_PAGE: u32 = 100;
/// The most that `limit` may say.
pub(super) const MAX_PAGE: u32 = 500;

/// Checks the `limit` of a query.
///
/// # Errors
/// `BadRequest` outside of 1 to 500; `what` is what the list holds.
pub(super) fn limit(asked: Option<u32>, what: &str) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(DEFAULT_PAGE);
    if (1..=MAX_PAGE).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad("limit", format!("{limit} {what} a page"), &["1 to 500"]))
    }
}

/// A fault of one key of a query.
pub(super) fn bad(path: &str, message: String, allowed: &[&str]) -> ApiError {
    let allowed = allowed.iter().map(|a| (*a).to_owned()).collect();
    ApiError::BadRequest { path: Some(path.into()), message, allowed }
}

/// `Link: <ROUTE?…before=LAST>; rel="next"` behind a full page: the words of the query, and where the next page begins.
pub(super) fn next_page(route: &str, words: &[(String, String)], last: impl Display) -> HeaderMap {
    let others = words.iter().filter(|(name, _)| name != "before" && !name.starts_with("chef-"));
    let quoted = |word: &str| utf8_percent_encode(word, NON_ALPHANUMERIC).to_string();
    let mut next: String = others.map(|(name, value)| format!("{}={}&", quoted(name), quoted(value))).collect();
    next.push_str(&format!("before={last}"));
    let mut headers = HeaderMap::new();
    if let Ok(link) = HeaderValue::from_str(&format!("<{route}?{next}>; rel=\"next\"")) {
        headers.insert(header::LINK, link);
    }
    headers
}
