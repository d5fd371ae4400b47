//! Organisations, projects and pipelines: names that exist, and since when.

use diesel::prelude::*;

use shuntyard_domain::tenancy::{Name, PipelinePath};

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{orgs, pipelines, projects};

/// Inserts an organisation.
///
/// # Errors
/// `Conflict` when there is one of that name; here and below.
pub fn org_insert(c: &mut StoreConnection, enterprise: &Name, name: &Name, now_ms: i64) -> Result<(), StoreError> {
    let row = (orgs::enterprise.eq(enterprise.as_str()), orgs::name.eq(name.as_str()), orgs::created_at_ms.eq(now_ms));
    let inserted = c.transaction(|c| diesel::insert_into(orgs::table).values(row).execute(c));
    inserted.map_err(|source| About { what: "organisation", key: name.as_str() }.insert(source))?;
    audit_note(c, "org.create", || Changed::new(format!("org {name}"), None, None))
}

/// Inserts a project of an organisation that is there.
///
/// # Errors
/// As `org_insert`.
pub fn project_insert(
    c: &mut StoreConnection,
    enterprise: &Name,
    org: &Name,
    name: &Name,
    now_ms: i64,
) -> Result<(), StoreError> {
    let row = (
        projects::enterprise.eq(enterprise.as_str()),
        projects::org.eq(org.as_str()),
        projects::name.eq(name.as_str()),
        projects::created_at_ms.eq(now_ms),
    );
    let inserted = c.transaction(|c| diesel::insert_into(projects::table).values(row).execute(c));
    inserted.map_err(|source| About { what: "project", key: name.as_str() }.insert(source))?;
    audit_note(c, "project.create", || Changed::new(format!("project {org}/{name}"), None, None))
}

/// Inserts a pipeline of a project that is there.
///
/// # Errors
/// As `org_insert`.
pub fn pipeline_insert(c: &mut StoreConnection, at: &PipelinePath, now_ms: i64) -> Result<(), StoreError> {
    let row = (
        pipelines::enterprise.eq(at.enterprise.as_str()),
        pipelines::org.eq(at.org.as_str()),
        pipelines::project.eq(at.project.as_str()),
        pipelines::name.eq(at.pipeline.as_str()),
        pipelines::created_at_ms.eq(now_ms),
    );
    let inserted = c.transaction(|c| diesel::insert_into(pipelines::table).values(row).execute(c));
    inserted.map_err(|source| About { what: "pipeline", key: at.pipeline.as_str() }.insert(source))?;
    audit_note(c, "pipeline.create", || Changed::new(format!("pipeline {at}"), None, None))
}

/// Tells since when there is an organisation, in Unix milliseconds; `None`: there is none.
pub fn org_since(c: &mut StoreConnection, enterprise: &Name, name: &Name) -> Result<Option<i64>, StoreError> {
    let found = orgs::table.find((enterprise.as_str(), name.as_str())).select(orgs::created_at_ms);
    found.first(c).optional().map_err(|source| About { what: "organisation", key: name.as_str() }.find(source))
}

/// Tells since when there is a project; as `org_since`.
pub fn project_since(
    c: &mut StoreConnection,
    enterprise: &Name,
    org: &Name,
    name: &Name,
) -> Result<Option<i64>, StoreError> {
    let key = (enterprise.as_str(), org.as_str(), name.as_str());
    let found = projects::table.find(key).select(projects::created_at_ms).first(c).optional();
    found.map_err(|source| About { what: "project", key: name.as_str() }.find(source))
}

/// Tells since when there is a pipeline; as `org_since`.
pub fn pipeline_since(c: &mut StoreConnection, at: &PipelinePath) -> Result<Option<i64>, StoreError> {
    let key = (at.enterprise.as_str(), at.org.as_str(), at.project.as_str(), at.pipeline.as_str());
    let found = pipelines::table.find(key).select(pipelines::created_at_ms).first(c).optional();
    found.map_err(|source| About { what: "pipeline", key: at.pipeline.as_str() }.find(source))
}

/// Makes sure that the pipeline and all that it lies in exist; what exists is left alone.
pub fn pipeline_ensure(c: &mut StoreConnection, at: &PipelinePath, now_ms: i64) -> Result<(), StoreError> {
    let (enterprise, org, project) = (&at.enterprise, &at.org, &at.project);
    if org_since(c, enterprise, org)?.is_none() {
        org_insert(c, enterprise, org, now_ms)?;
    }
    if project_since(c, enterprise, org, project)?.is_none() {
        project_insert(c, enterprise, org, project, now_ms)?;
    }
    if pipeline_since(c, at)?.is_none() {
        pipeline_insert(c, at, now_ms)?;
    }
    Ok(())
}

/// Returns the organisations of an enterprise, by name.
pub fn org_list(c: &mut StoreConnection, enterprise: &Name) -> Result<Vec<Name>, StoreError> {
    let found = orgs::table.filter(orgs::enterprise.eq(enterprise.as_str())).order(orgs::name).select(orgs::name);
    names("orgs", found.load(c))
}

/// Returns the projects of an organisation, by name.
pub fn project_list(c: &mut StoreConnection, enterprise: &Name, org: &Name) -> Result<Vec<Name>, StoreError> {
    let found = projects::table
        .filter(projects::enterprise.eq(enterprise.as_str()))
        .filter(projects::org.eq(org.as_str()))
        .order(projects::name)
        .select(projects::name);
    names("projects", found.load(c))
}

/// Returns the pipelines of a project, by name.
pub fn pipeline_list(
    c: &mut StoreConnection,
    enterprise: &Name,
    org: &Name,
    project: &Name,
) -> Result<Vec<Name>, StoreError> {
    let found = pipelines::table
        .filter(pipelines::enterprise.eq(enterprise.as_str()))
        .filter(pipelines::org.eq(org.as_str()))
        .filter(pipelines::project.eq(project.as_str()))
        .order(pipelines::name)
        .select(pipelines::name);
    names("pipelines", found.load(c))
}

fn names(table: &'static str, found: QueryResult<Vec<String>>) -> Result<Vec<Name>, StoreError> {
    let found = found.map_err(|source| StoreError::List { what: table, source })?;
    found.iter().map(|name| Row { table, key: name }.parse("name", name)).collect()
}
