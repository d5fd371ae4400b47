//! JSON bodies whose faults name the path.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use shuntyard_domain::wire::object::Object;

use super::error::ApiError;

/// A request body as `T`. The content type is not asked for: Chef's clients do not always send it.
pub(super) struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| ApiError::TooLarge("the body is larger than 2 MiB, or was cut off".into()))?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            ApiError::BadRequest {
                path: (path != ".").then_some(path),
                message: error.inner().to_string(),
                allowed: Vec::new(),
            }
        })?;
        reader.end().map_err(|error| ApiError::BadRequest {
            path: None,
            message: error.to_string(),
            allowed: vec!["one JSON value".into()],
        })?;
        Ok(Self(value))
    }
}
