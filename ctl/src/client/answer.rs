//! What the server answered: its bytes, and what its headers say.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, LINK, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client_error::ClientError;
use crate::terminal::plain;

/// A whole answer with a success status.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// The server's clock, from the `Date` header.
    pub server_time: Option<SystemTime>,
    /// Where the list goes on, from the `Link` header.
    pub next: Option<Url>,
}

/// Reads an answer as a `T`, telling "not JSON at all" from "JSON of another shape".
///
/// # Errors
/// `ClientError::NotJson`, `ClientError::UnknownShape`.
pub fn parse<T: DeserializeOwned>(url: &Url, bytes: &[u8]) -> Result<T, ClientError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| not_json(url, StatusCode::OK, bytes))?;
    T::deserialize(value).map_err(|source| unknown_shape(url, source))
}

/// Our own bodies and the server's, where this version does not understand them.
#[must_use]
pub fn unknown_shape(url: &Url, source: serde_json::Error) -> ClientError {
    ClientError::UnknownShape { path: url.path().into(), source }
}

pub(super) fn not_json(url: &Url, status: StatusCode, bytes: &[u8]) -> ClientError {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let start: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
    let start = if start.is_empty() { "empty".into() } else { format!("`{}`", plain(&start)) };
    ClientError::NotJson { url: url.to_string(), status, start }
}

/// Reads `Link: <ADDRESS>; rel="next"` (RFC 8288); the address is relative to the list's.
pub(super) fn next_page(list: &Url, headers: &HeaderMap) -> Option<Url> {
    let (address, rel) = headers.get(LINK)?.to_str().ok()?.strip_prefix('<')?.split_once('>')?;
    // The token goes there, too.
    let next = list.join(address).ok().filter(|next| next.origin() == list.origin())?;
    rel.contains("rel=\"next\"").then_some(next)
}

pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// How long the server asks to wait before the same request; `None`: it does not, or it is for another reason.
pub(super) fn pause_of(response: &Response) -> Option<Duration> {
    let told = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)?;
    (response.status() == StatusCode::TOO_MANY_REQUESTS).then(|| told.max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_json_is_told_from_one_of_another_shape() {
        let url = Url::parse("http://h/jobs").unwrap();
        let not_json = parse::<Vec<u8>>(&url, b"<html>\nx").unwrap_err().to_string();
        assert!(not_json.contains("not JSON (`<html>`)"), "{not_json}");
        assert!(matches!(parse::<Vec<u8>>(&url, b"{}"), Err(ClientError::UnknownShape { .. })));
    }

    #[test]
    fn a_list_goes_on_only_at_the_server_that_sent_it() {
        let list = Url::parse("http://h/api/v0/e/default/jobs?limit=3").unwrap();
        for (link, next) in [
            ("<jobs?limit=3&before=7>; rel=\"next\"", Some("http://h/api/v0/e/default/jobs?limit=3&before=7")),
            ("<http://elsewhere/jobs>; rel=\"next\"", None),
            ("<jobs?before=7>; rel=\"prev\"", None),
            ("jobs", None),
        ] {
            let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
            assert_eq!(next_page(&list, &headers).as_ref().map(Url::as_str), next, "{link}");
        }
    }
}
