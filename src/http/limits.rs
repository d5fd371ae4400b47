//! `/orgs/:org/projects/:project/limits`: how many jobs of a project may run at a time, and its quotas.

use axum::Json;
use axum::extract::State;
use shuntyard_domain::wire::api::ProjectLimits;

use super::Api;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::PathProject;

pub(super) async fn show(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
) -> Result<Json<ProjectLimits>, ApiError> {
    Ok(Json(api.dispatcher.project_limits(enterprise, org, project).await?))
}

/// Replaces all limits: without `running` any number runs; a quota that is not given is that of the configuration.
pub(super) async fn put(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
    ApiJson(limits): ApiJson<ProjectLimits>,
) -> Result<Json<ProjectLimits>, ApiError> {
    Ok(Json(api.dispatcher.set_project_limits(enterprise, org, project, limits).await?))
}
