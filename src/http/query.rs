//! Query strings and path words whose faults name the key.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::dispatch::DEFAULT;

/// A query string as `T`.
pub(super) struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::from_request_parts(parts, state).await.map(|Query(value)| Self(value)).map_err(|error| {
            ApiError::BadRequest { path: Some("query".into()), message: error.body_text(), allowed: Vec::new() }
        })
    }
}

/// One named word of the path; a word that is not a `T` names nothing that exists.
async fn path_word<S: Send + Sync, T: FromStr>(parts: &mut Parts, state: &S, name: &str) -> Result<T, ApiError> {
    let words = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    let words = words.map(|Path(words)| words).unwrap_or_default();
    let word = words.into_iter().find(|(key, _)| key == name).map(|(_, word)| word).unwrap_or_default();
    word.parse().map_err(|_| ApiError::NotFound(format!("there is no `{word}`")))
}

/// Lets a request pass only for an enterprise that exists: another one's jobs must not land here.
pub(super) async fn known_enterprise(words: RawPathParams, request: Request, next: Next) -> Result<Response, ApiError> {
    match words.iter().find(|(name, word)| *name == "enterprise" && *word != DEFAULT) {
        Some((_, word)) => Err(ApiError::NotFound(format!("there is no enterprise `{word}`"))),
        None => Ok(next.run(request).await),
    }
}

/// The `{id}` of a path.
pub(super) struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "id").await.map(Self)
    }
}

/// The `{hostname}` of a path.
pub(super) struct PathHost(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathHost {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "hostname").await.map(Self)
    }
}
