//! Where a call goes: a URL that was checked as far as it can be without a resolver.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::guard::{Guard, RefusedAddress};

/// The longest URL.
pub const MAX_URL_BYTES: usize = 2048;

/// A checked URL. Its path may be as good as a password: messages and logs name `at()` only, and so does `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    url: Url,
}

/// A URL that is not called. The text itself is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDestination {
    #[error("the URL has more than {MAX_URL_BYTES} bytes")]
    TooLong,
    #[error("not a URL: {0}")]
    NotAUrl(String),
    #[error("the scheme {found:?} is not called, only https (http with [outgoing] allow_http = true)")]
    Scheme { found: String },
    #[error("the URL has a user name or a password; calls are signed instead")]
    UserInfo,
    #[error("the URL has a fragment, which is never sent")]
    Fragment,
    #[error(transparent)]
    Refused(#[from] RefusedAddress),
}

impl Destination {
    /// Reads a URL as browsers do: `https://0x7f.1` is `https://127.0.0.1`, and refused as that.
    ///
    /// # Errors
    /// `BadDestination`
    pub(super) fn parse(text: &str, allow_http: bool, guard: &Guard) -> Result<Self, BadDestination> {
        if text.len() > MAX_URL_BYTES {
            return Err(BadDestination::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadDestination::NotAUrl("it has a space or a control character".to_owned()));
        }
        let url = Url::parse(text).map_err(|error| BadDestination::NotAUrl(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_http => {}
            found => return Err(BadDestination::Scheme { found: found.chars().take(20).collect() }),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadDestination::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(BadDestination::Fragment);
        }
        let host = url.host_str().ok_or_else(|| BadDestination::NotAUrl("it has no host".to_owned()))?;
        // Addresses stand there in their one normal form; what is not an address is a name for the resolver.
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            guard.check(address)?;
        }
        Ok(Self { url })
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port: what may be told in messages.
    #[must_use]
    pub fn at(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Destination").field(&self.at()).finish()
    }
}
