//! `/orgs/:org/projects/:project/secrets`: set, listed by name, removed; a value never comes back.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use shuntyard_domain::secret::SecretName;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use super::Api;
use super::body::ApiJson;
use super::error::ApiError;

/// Whose secret, as the path says it.
pub(super) struct Owner {
    org: Name,
    project: Name,
    /// Empty in the route of all secrets.
    name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let words = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let words = words.map(|Path(words)| words).unwrap_or_default();
        let word = |key: &str| words.get(key).cloned().unwrap_or_default();
        let parsed =
            |key: &str| word(key).parse().map_err(|_| ApiError::NotFound(format!("there is no `{}`", word(key))));
        Ok(Self { org: parsed("org")?, project: parsed("project")?, name: word("secret") })
    }
}

/// `{"value": "…"}`. Has no `Debug`: it is secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    value: String,
}

pub(super) async fn list(State(api): State<Api>, owner: Owner) -> Result<Json<Value>, ApiError> {
    let rows = api.dispatcher.secrets(&owner.org, &owner.project).await?;
    let body = rows.iter().map(|row| {
        json!({"name": row.name, "created_at": rfc3339(row.created_at_ms), "updated_at": rfc3339(row.updated_at_ms)})
    });
    Ok(Json(json!({"secrets": body.collect::<Vec<_>>()})))
}

pub(super) async fn set(
    State(api): State<Api>,
    owner: Owner,
    ApiJson(body): ApiJson<SecretBody>,
) -> Result<StatusCode, ApiError> {
    let value = Zeroizing::new(body.value);
    let name: SecretName = owner.name.parse().map_err(crate::dispatch::DispatchError::BadName)?;
    api.dispatcher.set_secret((&owner.org, &owner.project), &name, value, "admin").await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(State(api): State<Api>, owner: Owner) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::NotFound(format!("project {} has no secret `{}`", owner.project, owner.name));
    let name: SecretName = owner.name.parse().map_err(|_| missing())?;
    let removed = api.dispatcher.delete_secret(&owner.org, &owner.project, &name).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
