//! Query strings and path words whose faults name the key.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;

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
