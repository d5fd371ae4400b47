//! Who asks: found by the token, in any of the places where Chef's clients put theirs.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use shuntyard_domain::access::{Grants, Place, Role, Verdict};

use crate::dispatch::Holder;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::peer::{self, Peer};
use crate::http::ui::SESSION;

const CHEFS_TOKEN: &str = "chef-delivery-token";
const CHEFS_USER: &str = "chef-delivery-user";

/// Who sent a request, as the guard found out.
#[derive(Clone, Debug)]
pub(in crate::http) struct Caller {
    /// A user, `admin` of the file's token, or `machine NAME`.
    pub name: String,
    pub token_id: String,
    pub address: Option<IpAddr>,
    pub grants: Arc<Grants>,
    /// All that is known of the token, by which it is looked up again while a stream is open.
    pub holder: Holder,
}

impl Caller {
    /// The caller with a stored token that is neither expired nor revoked.
    ///
    /// # Errors
    /// `TokenDenied`, `TokenExpired`, `TooOften`
    pub(in crate::http) async fn of(api: &Api, parts: &Parts) -> Result<Self, ApiError> {
        let address = address(parts);
        let Presented { token, user, by_cookie } = Presented::of(parts);
        api.rates.take(token.as_deref(), address).map_err(ApiError::TooOften)?;
        let token = token.ok_or(ApiError::TokenDenied)?;
        // Cookies come along by themselves, also with what another site sends.
        if by_cookie && !parts.method.is_safe() {
            peer::check_same_site(parts)?;
        }
        let holder = api.dispatcher.holder(&token, user.as_deref()).await?;
        api.rates.known(&token);
        Ok(Self::new(holder, address))
    }

    /// Counts a request that is answered to everybody. One that another site's page sends is not: it would log its reader in
    /// as somebody else.
    ///
    /// # Errors
    /// `TooOften`, `CrossSite`
    pub(super) fn nobody(api: &Api, parts: &Parts) -> Result<(), ApiError> {
        if !parts.method.is_safe() {
            peer::check_same_site(parts)?;
        }
        api.rates.take(None, address(parts)).map_err(ApiError::TooOften)
    }

    /// The same caller as the store knows it now.
    ///
    /// # Errors
    /// As `of`.
    pub(in crate::http) async fn again(&self, api: &Api) -> Result<Self, ApiError> {
        Ok(Self::new(api.dispatcher.holder_again(&self.holder).await?, self.address))
    }

    fn new(holder: Holder, address: Option<IpAddr>) -> Self {
        let (name, token_id, grants) = (holder.name.clone(), holder.token_id.clone(), Arc::clone(&holder.grants));
        Self { name, token_id, address, grants, holder }
    }

    /// Lets pass who has one of `roles` at `place`, for what only the body of a request names.
    ///
    /// # Errors
    /// `Forbidden`
    pub(in crate::http) fn check(&self, roles: &[Role], place: &Place) -> Result<(), ApiError> {
        match self.grants.decide(roles, place) {
            Verdict::Allowed => Ok(()),
            Verdict::Forbidden | Verdict::Unseen => Err(ApiError::Forbidden),
        }
    }

    /// The places whose things a list may hold; `None`: all.
    pub(in crate::http) fn within(&self, roles: &[Role]) -> Option<Vec<Place>> {
        let fits = |role: Role| role == Role::Admin || roles.contains(&role);
        if self.grants.at(&Place::Enterprise).any(fits) {
            return None;
        }
        Some(self.grants.0.iter().filter(|grant| fits(grant.role)).map(|grant| grant.place.clone()).collect())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::TokenDenied)
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip())
}

/// What a request says of who sends it.
struct Presented {
    token: Option<String>,
    /// Chef's clients say whose the token is.
    user: Option<String>,
    by_cookie: bool,
}

impl Presented {
    /// `Authorization: Bearer`, else Chef's headers, cookies or query parameters (its streams use the query), else the
    /// cookie of the web page.
    fn of(parts: &Parts) -> Self {
        let bearer = parts.headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
        if let Some(bearer) = bearer {
            let (token, user) = (Some(bearer.trim().to_owned()), chefs(parts, CHEFS_USER).map(|(user, _)| user));
            return Self { token, user, by_cookie: false };
        }
        let session = || cookie(parts, SESSION).map(|token| (token, true));
        let (token, by_cookie) = chefs(parts, CHEFS_TOKEN).or_else(session).unzip();
        Self { token, user: chefs(parts, CHEFS_USER).map(|(user, _)| user), by_cookie: by_cookie.unwrap_or_default() }
    }
}

/// A value that Chef's clients send as a header, a cookie or a query parameter, and whether it is a cookie.
fn chefs(parts: &Parts, name: &str) -> Option<(String, bool)> {
    if let Some(value) = parts.headers.get(name) {
        // One that is no text is what it is: nobody's.
        return Some((String::from_utf8_lossy(value.as_bytes()).into_owned(), false));
    }
    if let Some(value) = cookie(parts, name) {
        return Some((value, true));
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    query.0.into_iter().find(|(key, _)| key == name).map(|(_, value)| (value, false))
}

/// A cookie's value, percent-decoded.
pub(in crate::http) fn cookie(parts: &Parts, name: &str) -> Option<String> {
    let lines = parts.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';'));
    let value = cookies.find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))?;
    percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned)
}
