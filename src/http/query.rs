//! Query strings whose faults name the key.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::ui;

/// Keys that any query may hold: Chef's stream clients log in with them.
const CHEFS_KEYS: [&str; 2] = ["chef-delivery-token", "chef-delivery-user"];

/// The keys that a route reads; all other routes read none.
pub(super) fn keys_of(method: &Method, route: &str) -> &'static [&'static str] {
    match *method {
        Method::GET | Method::HEAD if route.ends_with("/jobs") => {
            &["state", "project", "title", "runner", "phase_run", "fan_out", "before", "limit"]
        }
        // What the path says is not asked for again.
        Method::GET | Method::HEAD if route.ends_with("/{pipeline}/changes") => &["state", "before", "limit"],
        Method::GET | Method::HEAD if route.ends_with("/{project}/changes") => {
            &["pipeline", "state", "before", "limit"]
        }
        Method::GET | Method::HEAD if route.ends_with("/changes") => {
            &["org", "project", "pipeline", "state", "before", "limit"]
        }
        Method::GET | Method::HEAD if route.ends_with("/audit") => {
            &["actor", "subject", "action", "within_s", "before", "limit"]
        }
        Method::GET | Method::HEAD if route.ends_with("/fan_outs") => &["status", "project", "before", "limit"],
        Method::GET | Method::HEAD if route.ends_with("/changes/{id}/plan") => &["stage"],
        Method::GET | Method::HEAD if route.ends_with("/log/lines") => &["from", "count"],
        Method::GET | Method::HEAD if route.ends_with("/log/search") => &["q", "from", "limit", "ignore_case"],
        Method::GET | Method::HEAD if route.ends_with("/phase_runs/{id}/log") => &["colorize"],
        Method::GET | Method::HEAD if route == "/events" || route.ends_with("/{enterprise}/events") => {
            &["topics", "job", "since"]
        }
        Method::GET | Method::HEAD if route.ends_with("/deliveries") => &["before", "limit"],
        Method::POST if route.ends_with("/trigger/{stage}") => &["failed_only"],
        Method::DELETE if route.ends_with("/runners/{hostname}") => &["drain", "cancel_jobs", "force", "reason"],
        Method::DELETE if route.ends_with("/pools/{pool}") => &["keep", "force"],
        _ => &[],
    }
}

/// Lets a request pass only when its route reads every key of its query: a misspelt one must not be without effect.
///
/// # Errors
/// `BadRequest` with the key.
pub(super) fn known_keys(method: &Method, route: &str, uri: &Uri) -> Result<(), ApiError> {
    let is_api = route.starts_with("/api/") || route.starts_with("/workflow/");
    let known = if is_api { keys_of(method, route) } else { ui::keys_of(route) };
    let allowed = || match known {
        [] => vec!["no query".to_owned()],
        known => known.iter().map(|key| (*key).to_owned()).collect(),
    };
    let words = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(words)| words);
    let words = words.map_err(|error| refused("query".into(), error.body_text(), allowed()))?;
    for (n, (key, _)) in words.iter().enumerate().filter(|(_, (key, _))| !CHEFS_KEYS.contains(&key.as_str())) {
        if !known.contains(&key.as_str()) {
            return Err(refused(key.clone(), format!("this route does not know `{key}` in its query"), allowed()));
        }
        if words[..n].iter().any(|(earlier, _)| earlier == key) {
            return Err(refused(key.clone(), format!("`{key}` is in the query twice"), vec!["each key once".into()]));
        }
    }
    Ok(())
}

fn refused(path: String, message: String, allowed: Vec<String>) -> ApiError {
    ApiError::BadRequest { path: Some(path), message, allowed }
}

/// What somebody filled in: an empty field of a form asks for nothing.
pub(super) fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Makes something of what was filled in under `key`.
///
/// # Errors
/// `BadRequest` with the key and what is wrong.
pub(super) fn parsed<T: FromStr<Err: Display>>(key: &str, text: Option<&str>) -> Result<Option<T>, ApiError> {
    let refused = |error: T::Err| refused(key.to_owned(), format!("`{key}`: {error}"), Vec::new());
    text.map(|text| text.parse().map_err(refused)).transpose()
}

/// A query string as `T`; which keys it may hold was looked at before.
pub(super) struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::from_request_parts(parts, state).await.map(|Query(value)| Self(value)).map_err(|error| {
            // `…: KEY: what is wrong with its value`
            let text = error.body_text();
            let parts: Vec<&str> = text.splitn(3, ": ").collect();
            let (key, why) = if let [_, key, why] = parts[..] { (key, why) } else { ("query", text.as_str()) };
            refused(key.to_owned(), format!("the value of `{key}` cannot be read: {why}"), Vec::new())
        })
    }
}
