//! Who asks: found by the token, in any of the places where Chef's clients put theirs.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use shuntyard_domain::access::{Grants, Place, Role, Verdict};

use crate::http::Api;
use crate::http::auth::token_digest;
use crate::http::enrolment::Peer;
use crate::http::error::ApiError;
use crate::store::token_find_by_sha256;

/// Who sent a request, as the guard found out.
#[derive(Clone, Debug)]
pub(in crate::http) struct Caller {
    /// The user, or what the token of a machine is called.
    pub name: String,
    pub token_id: String,
    /// The SHA-256 of the token, by which it is looked up again while a stream is open.
    pub(super) digest: Vec<u8>,
    pub address: Option<IpAddr>,
    pub grants: Arc<Grants>,
}

impl Caller {
    /// The caller with a stored token that is neither expired nor revoked.
    ///
    /// # Errors
    /// `TokenDenied`
    pub(super) async fn of(api: &Api, parts: &Parts) -> Result<Self, ApiError> {
        let token = presented(parts).ok_or(ApiError::TokenDenied)?;
        let address = parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip());
        Self::found(api, token_digest(&token), address).await
    }

    /// The same caller as the store knows it now.
    ///
    /// # Errors
    /// As `of`.
    pub(super) async fn again(&self, api: &Api) -> Result<Self, ApiError> {
        Self::found(api, self.digest.clone(), self.address).await
    }

    async fn found(api: &Api, digest: Vec<u8>, address: Option<IpAddr>) -> Result<Self, ApiError> {
        let (sha256, now_ms) = (digest.clone(), api.dispatcher.clock().now_ms());
        let known = api.dispatcher.store().read(move |c| token_find_by_sha256(c, &sha256)).await?;
        let token = known.filter(|token| token.is_good(now_ms)).ok_or(ApiError::TokenDenied)?;
        let grants = Arc::new(Grants::of_admin());
        Ok(Self { name: token.name, token_id: token.id, digest, address, grants })
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

/// `Authorization: Bearer`, else Chef's header, cookie or query parameter (its streams use the query).
fn presented(parts: &Parts) -> Option<String> {
    const CHEF: &str = "chef-delivery-token";
    let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(bearer) = text(AUTHORIZATION.as_str()).and_then(|v| v.strip_prefix("Bearer ")) {
        return Some(bearer.trim().to_owned());
    }
    if let Some(token) = text(CHEF) {
        return Some(token.to_owned());
    }
    let cookies = text(COOKIE.as_str()).unwrap_or_default();
    if let Some(token) = cookies.split("; ").find_map(|c| c.strip_prefix(CHEF)?.strip_prefix('=')) {
        return Some(token.to_owned());
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    query.0.into_iter().find(|(name, _)| name == CHEF).map(|(_, token)| token)
}
