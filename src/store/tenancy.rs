//! Organisations, projects and pipelines: names that exist, and since when.

use diesel::prelude::*;

use shuntyard_domain::tenancy::{Name, PipelinePath};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{orgs, pipelines, projects};

/// Makes sure that the pipeline and all that it lies in exist; what exists is left alone.
pub fn pipeline_ensure(c: &mut StoreConnection, at: &PipelinePath, now_ms: i64) -> Result<(), StoreError> {
    let key = at.to_string();
    let (enterprise, org, project, pipeline) =
        (at.enterprise.as_str(), at.org.as_str(), at.project.as_str(), at.pipeline.as_str());
    c.transaction(|c| {
        if orgs::table.find((enterprise, org)).count().get_result::<i64>(c)? == 0 {
            let row = (orgs::enterprise.eq(enterprise), orgs::name.eq(org), orgs::created_at_ms.eq(now_ms));
            diesel::insert_into(orgs::table).values(row).execute(c)?;
        }
        if projects::table.find((enterprise, org, project)).count().get_result::<i64>(c)? == 0 {
            let inside = (projects::enterprise.eq(enterprise), projects::org.eq(org));
            let row = (inside.0, inside.1, projects::name.eq(project), projects::created_at_ms.eq(now_ms));
            diesel::insert_into(projects::table).values(row).execute(c)?;
        }
        if pipelines::table.find((enterprise, org, project, pipeline)).count().get_result::<i64>(c)? == 0 {
            let row = (
                pipelines::enterprise.eq(enterprise),
                pipelines::org.eq(org),
                pipelines::project.eq(project),
                pipelines::name.eq(pipeline),
                pipelines::created_at_ms.eq(now_ms),
            );
            diesel::insert_into(pipelines::table).values(row).execute(c)?;
        }
        Ok(())
    })
    .map_err(|source| About { what: "pipeline", key: &key }.insert(source))
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
