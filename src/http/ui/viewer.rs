//! Who looks at a page, at which address, and how they want it.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use shuntyard_domain::access::{Place, Role, Verdict};

use super::done::SAID;
use super::theme::{THEME, Theme};
use crate::http::accept::wants_stream;
use crate::http::access::{Caller, cookie};
use crate::http::error::ApiError;

/// The reader of a page.
#[derive(Clone)]
pub(super) struct Viewer {
    /// Nobody: the page of the login, or an error.
    pub caller: Option<Caller>,
    /// Path and query.
    pub address: String,
    pub theme: Theme,
    /// What the last form has done.
    pub said: Option<String>,
    /// The page's stream is asked for.
    pub live: bool,
}

impl Viewer {
    /// Whether one of `roles` is the reader's at `place`; pages leave out what they may not do.
    pub(super) fn may(&self, roles: &[Role], place: &Place) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.check(roles, place).is_ok())
    }

    /// Whether one of `roles` is the reader's at any place.
    pub(super) fn may_somewhere(&self, roles: &[Role]) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.grants.decide_anywhere(roles) == Verdict::Allowed)
    }

    /// Who it is; pages that a guard looks after have one.
    ///
    /// # Errors
    /// `TokenDenied`
    pub(super) fn known(&self) -> Result<&Caller, ApiError> {
        self.caller.as_ref().ok_or(ApiError::TokenDenied)
    }

    pub(super) fn name(&self) -> &str {
        self.caller.as_ref().map_or("nobody", |caller| &caller.name)
    }

    pub(super) fn of(parts: &Parts) -> Self {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        Self {
            caller: parts.extensions.get::<Caller>().cloned(),
            address: uri.path_and_query().map_or("/", |at| at.as_str()).to_owned(),
            theme: cookie(parts, THEME).and_then(|word| Theme::named(&word)).unwrap_or_default(),
            said: cookie(parts, SAID).filter(|said| !said.is_empty()),
            live: wants_stream(&parts.headers),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
