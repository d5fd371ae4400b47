//! Users. The hash of a password is read by nobody but who checks one.

use diesel::prelude::*;
use serde_json::{Value, json};
use shuntyard_domain::tenancy::Name;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::users;

pub(super) const USER: &str = "user";

/// One user, without what proves that it is them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub name: Name,
    /// Whether and since when there is a password.
    pub password_set_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub created_by: String,
    pub disabled_at_ms: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct Columns {
    name: String,
    password_set_at_ms: Option<i64>,
    created_at_ms: i64,
    created_by: String,
    disabled_at_ms: Option<i64>,
}

impl Columns {
    fn into_row(self) -> Result<UserRow, StoreError> {
        Ok(UserRow {
            name: Row { table: "users", key: &self.name }.parse("name", &self.name)?,
            password_set_at_ms: self.password_set_at_ms,
            created_at_ms: self.created_at_ms,
            created_by: self.created_by,
            disabled_at_ms: self.disabled_at_ms,
        })
    }
}

/// Inserts a user; `password` is a PHC string, there when `password_set_at_ms` is.
///
/// # Errors
/// `Conflict` when there is one of that name.
pub fn user_insert(c: &mut StoreConnection, user: &UserRow, password: Option<&str>) -> Result<(), StoreError> {
    let row = (
        users::name.eq(user.name.as_str()),
        users::password.eq(password),
        users::password_set_at_ms.eq(user.password_set_at_ms),
        users::created_at_ms.eq(user.created_at_ms),
        users::created_by.eq(&user.created_by),
        users::disabled_at_ms.eq(user.disabled_at_ms),
    );
    // In a savepoint: on PostgreSQL a taken name would else spoil the whole transaction.
    c.transaction(|c| diesel::insert_into(users::table).values(row).execute(c))
        .map_err(|source| About { what: USER, key: user.name.as_str() }.insert(source))?;
    let after = json!({"has_password": password.is_some()});
    note(c, "user.create", user.name.as_str(), Some(after))
}

fn note(c: &mut StoreConnection, action: &str, name: &str, after: Option<Value>) -> Result<(), StoreError> {
    audit_note(c, action, || Changed::new(format!("user {name}"), None, after))
}

/// Returns a user.
pub fn user_find(c: &mut StoreConnection, name: &str) -> Result<Option<UserRow>, StoreError> {
    let found = users::table.find(name).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: USER, key: name }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns every user, by name.
pub fn user_list(c: &mut StoreConnection) -> Result<Vec<UserRow>, StoreError> {
    let rows: Vec<Columns> = users::table
        .order(users::name)
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "users", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Returns the hash of a user's password; `None` when there is no such user, no password, or the user is disabled.
pub fn user_password(c: &mut StoreConnection, name: &str) -> Result<Option<String>, StoreError> {
    let enabled = users::table.find(name).filter(users::disabled_at_ms.is_null());
    let found: Option<Option<String>> = enabled
        .select(users::password)
        .first(c)
        .optional()
        .map_err(|source| About { what: USER, key: name }.find(source))?;
    Ok(found.flatten())
}

/// Keeps the hash of a new password.
///
/// # Errors
/// `NotFound` when there is no such user.
pub fn user_set_password(c: &mut StoreConnection, name: &str, hash: &str, now_ms: i64) -> Result<(), StoreError> {
    let values = (users::password.eq(hash), users::password_set_at_ms.eq(now_ms));
    let about = About { what: USER, key: name };
    let changed = diesel::update(users::table.find(name)).set(values).execute(c);
    if changed.map_err(|source| about.update(source))? == 0 {
        return Err(about.not_found());
    }
    note(c, "user.password", name, None)
}

/// Disables a user, or with `None` enables them again. One that is disabled already keeps its first date.
///
/// # Errors
/// `NotFound` when there is no such user.
pub fn user_set_disabled(c: &mut StoreConnection, name: &str, at_ms: Option<i64>) -> Result<(), StoreError> {
    let about = About { what: USER, key: name };
    let Some(user) = user_find(c, name)? else { return Err(about.not_found()) };
    let kept = at_ms.and(user.disabled_at_ms).or(at_ms);
    diesel::update(users::table.find(name))
        .set(users::disabled_at_ms.eq(kept))
        .execute(c)
        .map_err(|source| about.update(source))?;
    note(c, if at_ms.is_some() { "user.disable" } else { "user.enable" }, name, None)
}

/// Removes a user with all that they were given and all their tokens; tells whether there was one.
pub fn user_delete(c: &mut StoreConnection, name: &str) -> Result<bool, StoreError> {
    let removed = diesel::delete(users::table.find(name)).execute(c);
    let removed = removed.map_err(|source| About { what: USER, key: name }.delete(source))? > 0;
    if removed {
        note(c, "user.delete", name, None)?;
    }
    Ok(removed)
}
