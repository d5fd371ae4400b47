//! This server's own address, as its reader has reached it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::http::peer::OverTls;

/// `https://HOST[:PORT]`: what the browser has asked, or `https://SERVER` when it does not say.
pub(super) struct OwnUrl(pub String);

impl<S: Send + Sync> FromRequestParts<S> for OwnUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let secure = parts.extensions.get::<OverTls>().is_some_and(|OverTls(secure)| *secure);
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("SERVER");
        Ok(Self(format!("{}://{host}", if secure { "https" } else { "http" })))
    }
}
