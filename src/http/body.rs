//! JSON bodies whose faults name the path.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_LENGTH;
use serde::de::DeserializeOwned;
use shuntyard_domain::wire::object::Object;

use super::MAX_BODY_BYTES;
use super::error::ApiError;

/// How long a body may take to arrive; a client that drips it holds a connection no longer.
const BODY_LIMIT: Duration = Duration::from_secs(60);

/// The largest body that is read as text: what a host says of itself.
pub(super) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// A request body as text; bytes that are no UTF-8 are replaced. Its route limits it to `MAX_TEXT_BYTES`.
pub(super) struct ApiText(pub String);

impl<S: Send + Sync> FromRequest<S> for ApiText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let too_large = |_| ApiError::TooLarge("the body is larger than 64 KiB, or was cut off".into());
        let bytes = tokio::time::timeout(BODY_LIMIT, Bytes::from_request(request, state));
        let bytes = bytes.await.map_err(|_| ApiError::TooSlow)?.map_err(too_large)?;
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Reads a whole body of up to `MAX_BODY_BYTES`.
///
/// # Errors
/// `TooLarge`, `TooSlow`
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    // Told before it is sent: the limit itself is only met when that many bytes have come.
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let too_large = || ApiError::TooLarge("the body is larger than 2 MiB, or was cut off".into());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(BODY_LIMIT, Bytes::from_request(request, state));
    bytes.await.map_err(|_| ApiError::TooSlow)?.map_err(|_| too_large())
}

/// A request body as `T`. The content type is not asked for: Chef's clients do not always send it.
pub(super) struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            let (message, allowed) = ("the request has no body".into(), vec!["a JSON object".into()]);
            return Err(ApiError::BadRequest { path: None, message, allowed });
        }
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

/// As `ApiJson`, of a body that holds a secret: what is wrong with it is not quoted.
pub(super) struct ApiSecretJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiSecretJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match ApiJson::from_request(request, state).await {
            Ok(ApiJson(value)) => Ok(Self(value)),
            // Roles and places are no secret.
            Err(ApiError::BadRequest { path: Some(path), message, allowed })
                if path.starts_with("grant") || path.starts_with("revoke") =>
            {
                Err(ApiError::BadRequest { path: Some(path), message, allowed })
            }
            Err(ApiError::BadRequest { .. }) => Err(ApiError::BadRequest {
                path: None,
                message: "the body is no object of the keys that this route knows; it is not repeated here".into(),
                allowed: Vec::new(),
            }),
            Err(error) => Err(error),
        }
    }
}
