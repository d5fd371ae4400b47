//! `…/secrets` of the enterprise, `/orgs/:org`, `/orgs/:org/projects/:project` and `/runners/:hostname`: set, listed by name, removed; a value never comes back.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use shuntyard_domain::secret::SecretName;
use shuntyard_domain::wire::secret::{SecretEntry, SecretsBody, SetSecret};
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::{PathEnterprise, PathSecret, PathWithin, path_word_if_any};
use crate::dispatch::{DispatchError, SecretOwner};
use crate::store::SecretRow;

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

/// Whose secrets the path names: a runner's, a project's, an organisation's, or the enterprise's.
pub(super) struct PathOwner(SecretOwner);

impl<S: Send + Sync> FromRequestParts<S> for PathOwner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathEnterprise(enterprise) = PathEnterprise::from_request_parts(parts, state).await?;
        if let Some(hostname) = path_word_if_any(parts, state, "hostname").await? {
            return Ok(Self(SecretOwner::Runner(enterprise, hostname)));
        }
        let PathWithin { org, project, .. } = PathWithin::from_request_parts(parts, state).await?;
        Ok(Self(match (org, project) {
            (Some(org), Some(project)) => SecretOwner::Project(enterprise, org, project),
            (Some(org), None) => SecretOwner::Org(enterprise, org),
            (None, _) => SecretOwner::Enterprise(enterprise),
        }))
    }
}

pub(super) async fn list(State(api): State<Api>, PathOwner(owner): PathOwner) -> Result<Json<SecretsBody>, ApiError> {
    let rows = api.dispatcher.secrets(&owner).await?;
    let entry = |row: SecretRow| SecretEntry {
        name: row.name,
        created_at: rfc3339(row.created_at_ms),
        created_by: row.created_by,
        updated_at: rfc3339(row.updated_at_ms),
        updated_by: row.updated_by,
    };
    Ok(Json(SecretsBody { secrets: rows.into_iter().map(entry).collect() }))
}

pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    PathOwner(owner): PathOwner,
    PathSecret(name): PathSecret,
    body: Result<ApiJson<SetSecret>, ApiError>,
) -> Result<StatusCode, ApiError> {
    let ApiJson(body) = body.map_err(not_repeated)?;
    let value = Zeroizing::new(body.value);
    let name: SecretName = name.parse().map_err(DispatchError::BadName)?;
    api.dispatcher.set_secret(&owner, &name, value, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(api): State<Api>,
    PathOwner(owner): PathOwner,
    PathSecret(name): PathSecret,
) -> Result<StatusCode, ApiError> {
    let removed = match name.parse::<SecretName>() {
        Ok(name) => api.dispatcher.delete_secret(&owner, &name).await?,
        // Nobody can have set it.
        Err(_) => false,
    };
    let missing = || ApiError::NotFound(format!("{owner} has no secret `{name}`"));
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
