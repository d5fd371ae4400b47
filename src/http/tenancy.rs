//! `/orgs` and what lies in them: projects, pipelines.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shuntyard_domain::access::Place;
use shuntyard_domain::tenancy::{Name, PipelinePath};
use shuntyard_domain::wire::tenancy::{
    NewName, OrgBody, OrgsBody, PipelineBody, PipelinesBody, ProjectBody, ProjectsBody,
};
use shuntyard_domain::wire::time_text::rfc3339;

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::{PathEnterprise, PathOrg, PathPipeline, PathProject};

/// What a creation answers.
type Created = (StatusCode, Json<NewName>);

fn created(name: Name) -> Created {
    (StatusCode::CREATED, Json(NewName { name }))
}

pub(super) async fn orgs(
    State(api): State<Api>,
    caller: Caller,
    PathEnterprise(enterprise): PathEnterprise,
) -> Result<Json<OrgsBody>, ApiError> {
    let mut orgs = api.dispatcher.orgs(enterprise).await?;
    orgs.retain(|org| caller.grants.sees(&Place::Org(org.clone())));
    Ok(Json(OrgsBody { orgs: NewName::list(orgs) }))
}

pub(super) async fn create_org(
    State(api): State<Api>,
    PathEnterprise(enterprise): PathEnterprise,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    api.dispatcher.create_org(enterprise, name.clone()).await?;
    Ok(created(name))
}

/// The projects of an organisation that the caller sees.
fn seen(caller: &Caller, org: &Name, mut projects: Vec<Name>) -> Vec<NewName> {
    projects.retain(|project| caller.grants.sees(&Place::Project(org.clone(), project.clone())));
    NewName::list(projects)
}

pub(super) async fn org(
    State(api): State<Api>,
    caller: Caller,
    PathOrg(enterprise, org): PathOrg,
) -> Result<Json<OrgBody>, ApiError> {
    let found = api.dispatcher.org(enterprise, org.clone()).await?;
    let projects = seen(&caller, &org, found.holds);
    Ok(Json(OrgBody { name: org, created_at: rfc3339(found.since_ms), projects }))
}

pub(super) async fn projects(
    State(api): State<Api>,
    caller: Caller,
    PathOrg(enterprise, org): PathOrg,
) -> Result<Json<ProjectsBody>, ApiError> {
    let found = api.dispatcher.org(enterprise, org.clone()).await?;
    Ok(Json(ProjectsBody { projects: seen(&caller, &org, found.holds) }))
}

pub(super) async fn create_project(
    State(api): State<Api>,
    PathOrg(enterprise, org): PathOrg,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    api.dispatcher.create_project(enterprise, org, name.clone()).await?;
    Ok(created(name))
}

pub(super) async fn project(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
) -> Result<Json<ProjectBody>, ApiError> {
    let found = api.dispatcher.project(enterprise, org.clone(), project.clone()).await?;
    let (created_at, pipelines) = (rfc3339(found.since_ms), NewName::list(found.holds));
    Ok(Json(ProjectBody { name: project, org, created_at, pipelines }))
}

pub(super) async fn pipelines(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
) -> Result<Json<PipelinesBody>, ApiError> {
    let found = api.dispatcher.project(enterprise, org, project).await?;
    Ok(Json(PipelinesBody { pipelines: NewName::list(found.holds) }))
}

pub(super) async fn create_pipeline(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    let at = PipelinePath { enterprise, org, project, pipeline: name.clone() };
    api.dispatcher.create_pipeline(at).await?;
    Ok(created(name))
}

pub(super) async fn pipeline(
    State(api): State<Api>,
    PathPipeline(at): PathPipeline,
) -> Result<Json<PipelineBody>, ApiError> {
    let created_at = rfc3339(api.dispatcher.pipeline_since(at.clone()).await?);
    Ok(Json(PipelineBody { name: at.pipeline, project: at.project, org: at.org, created_at }))
}
