//! `/orgs/:org/projects/:project/secrets`: set, listed by name, removed; a value never comes back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shuntyard_domain::secret::SecretName;
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::{PathProject, PathSecret};
use crate::dispatch::{DispatchError, SecretOwner};

/// `{"value": "…"}`. Has no `Debug`: it is secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    value: String,
}

/// What says why a body cannot be read quotes it, and anything in it may be the secret.
fn not_repeated(error: ApiError) -> ApiError {
    match error {
        ApiError::BadRequest { .. } => ApiError::BadRequest {
            path: Some("value".into()),
            message: "the body is no object with the secret as a text, and nothing else; it is not repeated here"
                .into(),
            allowed: vec![r#"{"value": "TEXT"}"#.into()],
        },
        error => error,
    }
}

/// Whose secrets the path names.
fn owner(PathProject(enterprise, org, project): PathProject) -> SecretOwner {
    SecretOwner { enterprise, org, project }
}

pub(super) async fn list(State(api): State<Api>, project: PathProject) -> Result<Json<Value>, ApiError> {
    let rows = api.dispatcher.secrets(&owner(project)).await?;
    let body = rows.iter().map(|row| {
        json!({"name": row.name, "created_at": rfc3339(row.created_at_ms), "updated_at": rfc3339(row.updated_at_ms)})
    });
    Ok(Json(json!({"secrets": body.collect::<Vec<_>>()})))
}

pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    project: PathProject,
    PathSecret(name): PathSecret,
    body: Result<ApiJson<SecretBody>, ApiError>,
) -> Result<StatusCode, ApiError> {
    let ApiJson(body) = body.map_err(not_repeated)?;
    let value = Zeroizing::new(body.value);
    let name: SecretName = name.parse().map_err(DispatchError::BadName)?;
    api.dispatcher.set_secret(&owner(project), &name, value, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(api): State<Api>,
    project: PathProject,
    PathSecret(name): PathSecret,
) -> Result<StatusCode, ApiError> {
    let owner = owner(project);
    let removed = match name.parse::<SecretName>() {
        Ok(name) => api.dispatcher.delete_secret(&owner, &name).await?,
        // Nobody can have set it.
        Err(_) => false,
    };
    let missing = || ApiError::NotFound(format!("project {} has no secret `{name}`", owner.project));
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
