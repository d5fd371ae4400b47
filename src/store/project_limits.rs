//! How many jobs of a project may run at a time.

use diesel::prelude::*;
use serde_json::json;

use shuntyard_domain::tenancy::Name;

use super::audit::{self, Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::schema::project_limits;

const LIMIT: &str = "limit of a project";

/// A project and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectLimitRow {
    pub org: String,
    pub project: String,
    pub running: u32,
}

/// Returns the limit of a project; `None`: it has none.
pub fn project_limit_find(
    c: &mut StoreConnection,
    enterprise: &Name,
    org: &Name,
    project: &Name,
) -> Result<Option<u32>, StoreError> {
    let key = (enterprise.as_str(), org.as_str(), project.as_str());
    let found = project_limits::table.find(key).select(project_limits::running).first::<i64>(c).optional();
    let found = found.map_err(|source| About { what: LIMIT, key: project.as_str() }.find(source))?;
    Ok(found.map(|running| u32::try_from(running).unwrap_or(u32::MAX)))
}

/// Sets or, with `None`, removes the limit of a project.
///
/// # Errors
/// `Conflict` when another dispatcher sets its first limit at the same moment: try again.
pub fn project_limit_set(
    c: &mut StoreConnection,
    (enterprise, org, project): (&Name, &Name, &Name),
    running: Option<u32>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let about = About { what: LIMIT, key: project.as_str() };
    if audit::is_acting() {
        let before = project_limit_find(c, enterprise, org, project)?;
        let body = |running: Option<u32>| Some(json!({"running": running}));
        let subject = format!("project {org}/{project}");
        audit_note(c, "limits.set", || Changed::new(subject, body(before), body(running)))?;
    }
    let row = project_limits::table.find((enterprise.as_str(), org.as_str(), project.as_str()));
    let Some(running) = running.map(i64::from) else {
        return diesel::delete(row).execute(c).map(drop).map_err(|source| about.update(source));
    };
    let values = (project_limits::running.eq(running), project_limits::set_at_ms.eq(now_ms));
    if diesel::update(row).set(values).execute(c).map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    let inserted = c.transaction(|c| {
        let key = (
            project_limits::enterprise.eq(enterprise.as_str()),
            project_limits::org.eq(org.as_str()),
            project_limits::project.eq(project.as_str()),
        );
        diesel::insert_into(project_limits::table).values((key, values)).execute(c)
    });
    inserted.map(drop).map_err(|source| about.insert(source))
}

/// Returns the limits of every project.
pub fn project_limit_list(c: &mut StoreConnection) -> Result<Vec<ProjectLimitRow>, StoreError> {
    let columns = (project_limits::org, project_limits::project, project_limits::running);
    let found = project_limits::table.order((project_limits::org, project_limits::project)).select(columns);
    let found: Vec<(String, String, i64)> =
        found.load(c).map_err(|source| StoreError::List { what: "project_limits", source })?;
    let row = |(org, project, running): (String, String, i64)| ProjectLimitRow {
        org,
        project,
        running: u32::try_from(running).unwrap_or(u32::MAX),
    };
    Ok(found.into_iter().map(row).collect())
}
