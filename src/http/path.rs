//! Words of the path; one that cannot be what it stands for names nothing that exists.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, RawPathParams};
use axum::http::request::Parts;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::tenancy::{Name, PipelinePath};

use super::error::ApiError;
use crate::dispatch::DEFAULT;

/// One named word of the path; a word that is not a `T` names nothing that exists.
async fn path_word<S: Send + Sync, T: FromStr>(parts: &mut Parts, state: &S, name: &str) -> Result<T, ApiError> {
    let word = path_word_if_any(parts, state, name).await?;
    word.ok_or_else(|| ApiError::NotFound(format!("the path names no {name}")))
}

/// As `path_word`, for a route whose path may lack the word.
pub(super) async fn path_word_if_any<S: Send + Sync, T: FromStr>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<Option<T>, ApiError> {
    let words = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    let words = words.map(|Path(words)| words).unwrap_or_default();
    let Some((_, word)) = words.into_iter().find(|(key, _)| key == name) else { return Ok(None) };
    word.parse().map(Some).map_err(|_| ApiError::NotFound(format!("there is no `{word}`")))
}

/// Another enterprise's jobs must not land in the one that there is.
///
/// # Errors
/// `NotFound` for an enterprise that does not exist.
pub(super) fn known_enterprise(words: &RawPathParams) -> Result<(), ApiError> {
    match words.iter().find(|(name, word)| *name == "enterprise" && *word != DEFAULT) {
        Some((_, word)) => Err(ApiError::NotFound(format!("there is no enterprise `{word}`"))),
        None => Ok(()),
    }
}

/// The one that there is, for pages: their addresses do not name it.
///
/// # Errors
/// `NotFound`
pub(super) fn enterprise() -> Result<Name, ApiError> {
    DEFAULT.parse().map_err(|_| ApiError::NotFound(format!("there is no enterprise `{DEFAULT}`")))
}

/// The `{enterprise}` of a path.
pub(super) struct PathEnterprise(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathEnterprise {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "enterprise").await.map(Self)
    }
}

/// The `{enterprise}` and `{org}` of a path.
pub(super) struct PathOrg(pub Name, pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathOrg {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(path_word(parts, state, "enterprise").await?, path_word(parts, state, "org").await?))
    }
}

/// The `{enterprise}`, `{org}` and `{project}` of a path.
pub(super) struct PathProject(pub Name, pub Name, pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathProject {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathOrg(enterprise, org) = PathOrg::from_request_parts(parts, state).await?;
        Ok(Self(enterprise, org, path_word(parts, state, "project").await?))
    }
}

/// The pipeline of a path, and all that it lies in.
pub(super) struct PathPipeline(pub PipelinePath);

impl<S: Send + Sync> FromRequestParts<S> for PathPipeline {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathProject(enterprise, org, project) = PathProject::from_request_parts(parts, state).await?;
        Ok(Self(PipelinePath { enterprise, org, project, pipeline: path_word(parts, state, "pipeline").await? }))
    }
}

/// Where a list has to look, as far as its path says.
pub(super) struct PathWithin {
    pub org: Option<Name>,
    pub project: Option<Name>,
    pub pipeline: Option<Name>,
}

impl<S: Send + Sync> FromRequestParts<S> for PathWithin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self {
            org: path_word_if_any(parts, state, "org").await?,
            project: path_word_if_any(parts, state, "project").await?,
            pipeline: path_word_if_any(parts, state, "pipeline").await?,
        })
    }
}

/// The change of a path; under `orgs/…/projects/…` also where it has to lie.
pub(super) struct PathChange {
    pub id: ChangeId,
    pub lies_in: Option<(Name, Name)>,
}

impl<S: Send + Sync> FromRequestParts<S> for PathChange {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = path_word(parts, state, "id").await?;
        let PathWithin { org, project, .. } = PathWithin::from_request_parts(parts, state).await?;
        Ok(Self { id, lies_in: org.zip(project) })
    }
}

/// The `{stage}` of a path.
pub(super) struct PathStage(pub Stage);

impl<S: Send + Sync> FromRequestParts<S> for PathStage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "stage").await.map(Self)
    }
}

/// The `{secret}` of a path, as it is written.
pub(super) struct PathSecret(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathSecret {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "secret").await.map(Self)
    }
}

/// The `{pool}` of a path, as it is written.
pub(super) struct PathPool(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPool {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "pool").await.map(Self)
    }
}

/// The `{delivery}` of a path.
pub(super) struct PathDelivery(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathDelivery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "delivery").await.map(Self)
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

/// The `{path}` of a path: the rest of it, slashes included.
pub(super) struct PathRest(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathRest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "path").await.map(Self)
    }
}

/// The `{jump_host}` of a path.
pub(super) struct PathJump(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathJump {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "jump_host").await.map(Self)
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

/// The `{user}` of a path, as it is written.
pub(super) struct PathUser(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_word(parts, state, "user").await.map(Self)
    }
}
