//! `/orgs` and what lies in them: projects, pipelines.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use shuntyard_domain::access::Place;
use shuntyard_domain::tenancy::{Name, PipelinePath};
use shuntyard_domain::wire::pipelines::NewName;
use shuntyard_domain::wire::time_text::rfc3339;

use super::Api;
use super::access::Caller;
use super::body::ApiJson;
use super::error::ApiError;
use super::path::{PathEnterprise, PathOrg, PathPipeline, PathProject};

/// What a creation answers.
type Created = (StatusCode, Json<Value>);

fn created(name: &Name) -> Created {
    (StatusCode::CREATED, Json(json!({"name": name})))
}

/// Chef's way to list: `[{"name": …}, …]`.
fn names(names: &[Name]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

pub(super) async fn orgs(
    State(api): State<Api>,
    caller: Caller,
    PathEnterprise(enterprise): PathEnterprise,
) -> Result<Json<Value>, ApiError> {
    let mut orgs = api.dispatcher.orgs(enterprise).await?;
    orgs.retain(|org| caller.grants.sees(&Place::Org(org.clone())));
    Ok(Json(json!({"orgs": names(&orgs)})))
}

pub(super) async fn create_org(
    State(api): State<Api>,
    PathEnterprise(enterprise): PathEnterprise,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    api.dispatcher.create_org(enterprise, name.clone()).await?;
    Ok(created(&name))
}

/// The projects of an organisation that the caller sees.
fn seen(caller: &Caller, org: &Name, mut projects: Vec<Name>) -> Value {
    projects.retain(|project| caller.grants.sees(&Place::Project(org.clone(), project.clone())));
    names(&projects)
}

pub(super) async fn org(
    State(api): State<Api>,
    caller: Caller,
    PathOrg(enterprise, org): PathOrg,
) -> Result<Json<Value>, ApiError> {
    let found = api.dispatcher.org(enterprise, org.clone()).await?;
    let projects = seen(&caller, &org, found.holds);
    Ok(Json(json!({"name": org, "created_at": rfc3339(found.since_ms), "projects": projects})))
}

pub(super) async fn projects(
    State(api): State<Api>,
    caller: Caller,
    PathOrg(enterprise, org): PathOrg,
) -> Result<Json<Value>, ApiError> {
    let found = api.dispatcher.org(enterprise, org.clone()).await?;
    Ok(Json(json!({"projects": seen(&caller, &org, found.holds)})))
}

pub(super) async fn create_project(
    State(api): State<Api>,
    PathOrg(enterprise, org): PathOrg,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    api.dispatcher.create_project(enterprise, org, name.clone()).await?;
    Ok(created(&name))
}

pub(super) async fn project(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
) -> Result<Json<Value>, ApiError> {
    let found = api.dispatcher.project(enterprise, org.clone(), project.clone()).await?;
    let (created_at, pipelines) = (rfc3339(found.since_ms), names(&found.holds));
    Ok(Json(json!({"name": project, "org": org, "created_at": created_at, "pipelines": pipelines})))
}

pub(super) async fn pipelines(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
) -> Result<Json<Value>, ApiError> {
    let found = api.dispatcher.project(enterprise, org, project).await?;
    Ok(Json(json!({"pipelines": names(&found.holds)})))
}

pub(super) async fn create_pipeline(
    State(api): State<Api>,
    PathProject(enterprise, org, project): PathProject,
    ApiJson(NewName { name }): ApiJson<NewName>,
) -> Result<Created, ApiError> {
    let at = PipelinePath { enterprise, org, project, pipeline: name.clone() };
    api.dispatcher.create_pipeline(at).await?;
    Ok(created(&name))
}

pub(super) async fn pipeline(State(api): State<Api>, PathPipeline(at): PathPipeline) -> Result<Json<Value>, ApiError> {
    let created_at = rfc3339(api.dispatcher.pipeline_since(at.clone()).await?);
    Ok(Json(json!({"name": at.pipeline, "project": at.project, "org": at.org, "created_at": created_at})))
}
