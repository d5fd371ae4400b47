//! What users were given: roles and where they hold.

use diesel::prelude::*;
use serde_json::json;
use shuntyard_domain::access::{Grant, Grants, Place, Role};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::GrantBody;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{grants, users};

const GRANT: &str = "grant";

/// Organisation and project as they are stored: empty where there is none.
fn columns(place: &Place) -> (&str, &str) {
    match place {
        Place::Enterprise => ("", ""),
        Place::Org(org) => (org.as_str(), ""),
        Place::Project(org, project) => (org.as_str(), project.as_str()),
    }
}

fn read(user: &str, (role, org, project): (String, String, String)) -> Result<Grant, StoreError> {
    let row = Row { table: "grants", key: user };
    let place = match (org.as_str(), project.as_str()) {
        ("", _) => Place::Enterprise,
        (org, "") => Place::Org(row.parse("org", org)?),
        (org, project) => Place::Project(row.parse("org", org)?, row.parse("project", project)?),
    };
    Ok(Grant { role: row.parse("role", &role)?, place })
}

/// Returns what a user was given; an unknown one has nothing.
pub fn grants_of(c: &mut StoreConnection, user: &str) -> Result<Grants, StoreError> {
    let rows: Vec<(String, String, String)> = grants::table
        .filter(grants::user_name.eq(user))
        .order((grants::org, grants::project, grants::role))
        .select((grants::role, grants::org, grants::project))
        .load(c)
        .map_err(|source| StoreError::List { what: "grants", source })?;
    rows.into_iter().map(|row| read(user, row)).collect::<Result<_, _>>().map(Grants)
}

/// Returns what everybody was given, by user.
pub fn grant_list(c: &mut StoreConnection) -> Result<Vec<(String, Grant)>, StoreError> {
    let rows: Vec<(String, String, String, String)> = grants::table
        .order((grants::user_name, grants::org, grants::project, grants::role))
        .select((grants::user_name, grants::role, grants::org, grants::project))
        .load(c)
        .map_err(|source| StoreError::List { what: "grants", source })?;
    let grant = |(user, role, org, project): (String, String, String, String)| {
        read(&user, (role, org, project)).map(|grant| (user, grant))
    };
    rows.into_iter().map(grant).collect()
}

/// Gives a user a role; one that they have stays as it was given.
///
/// # Errors
/// `Insert` when there is no such user.
pub fn grant_insert(
    c: &mut StoreConnection,
    user: &Name,
    grant: &Grant,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    if grants_of(c, user.as_str())?.0.contains(grant) {
        return Ok(());
    }
    let (org, project) = columns(&grant.place);
    let row = (
        grants::user_name.eq(user.as_str()),
        grants::role.eq(grant.role.as_str()),
        grants::org.eq(org),
        grants::project.eq(project),
        grants::granted_at_ms.eq(now_ms),
        grants::granted_by.eq(by),
    );
    c.transaction(|c| diesel::insert_into(grants::table).values(row).execute(c))
        .map_err(|source| About { what: GRANT, key: user.as_str() }.insert(source))?;
    let given = json!(GrantBody::from(grant));
    audit_note(c, "user.grant", || Changed::new(format!("user {user}"), None, Some(given)))
}

/// Takes a role away; tells whether they had it.
pub fn grant_delete(c: &mut StoreConnection, user: &Name, grant: &Grant) -> Result<bool, StoreError> {
    let (org, project) = columns(&grant.place);
    let target = grants::table.find((user.as_str(), grant.role.as_str(), org, project));
    let removed = diesel::delete(target).execute(c);
    let removed = removed.map_err(|source| About { what: GRANT, key: user.as_str() }.delete(source))? > 0;
    if removed {
        let had = json!(GrantBody::from(grant));
        audit_note(c, "user.revoke_grant", || Changed::new(format!("user {user}"), Some(had), None))?;
    }
    Ok(removed)
}

/// Tells whether a user who is not disabled is an admin of the enterprise.
pub fn is_there_an_admin(c: &mut StoreConnection) -> Result<bool, StoreError> {
    let admins = grants::table
        .inner_join(users::table)
        .filter(users::disabled_at_ms.is_null())
        .filter(grants::role.eq(Role::Admin.as_str()))
        .filter(grants::org.eq(""));
    let found = diesel::select(diesel::dsl::exists(admins)).get_result(c);
    found.map_err(|source| StoreError::List { what: "admins", source })
}
