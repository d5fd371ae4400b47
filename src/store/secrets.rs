//! Secrets, as they are sealed: this layer never sees what is in them.

use diesel::prelude::*;

use super::audit::{Changed, audit_note};
use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::secrets;

const SECRET: &str = "secret";

/// Whose a secret is, and its name. An empty `project` is the organisation's, an empty `org` the enterprise's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretKey {
    pub enterprise: String,
    pub org: String,
    pub project: String,
    pub name: String,
}

impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.enterprise, self.org, self.project, self.name)
    }
}

/// What is told of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    pub name: String,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// Keeps a sealed value under the key, over what was there.
///
/// # Errors
/// `Conflict` when somebody else keeps its first value at the same moment: try again.
pub fn secret_set(
    c: &mut StoreConnection,
    key: &SecretKey,
    sealed: &[u8],
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (shown, sealed) = (key.to_string(), base64_text::encode(sealed));
    let about = About { what: SECRET, key: &shown };
    let target = secrets::table.find((&key.enterprise, &key.org, &key.project, &key.name));
    let values = (secrets::sealed.eq(&sealed), secrets::updated_at_ms.eq(now_ms));
    audit_note(c, "secret.set", || Changed::new(format!("secret {shown}"), None, None))?;
    if diesel::update(target).set(values).execute(c).map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    let row = (
        secrets::enterprise.eq(&key.enterprise),
        secrets::org.eq(&key.org),
        secrets::project.eq(&key.project),
        secrets::name.eq(&key.name),
        values.0,
        secrets::created_at_ms.eq(now_ms),
        secrets::created_by.eq(by),
        values.1,
    );
    // In a savepoint: on PostgreSQL a taken key would else spoil the whole transaction.
    c.transaction(|c| diesel::insert_into(secrets::table).values(row).execute(c))
        .map_err(|source| about.insert(source))?;
    Ok(())
}

/// Returns the sealed value.
pub fn secret_find(c: &mut StoreConnection, key: &SecretKey) -> Result<Option<Vec<u8>>, StoreError> {
    let shown = key.to_string();
    let target = secrets::table.find((&key.enterprise, &key.org, &key.project, &key.name));
    let found: Option<String> = target
        .select(secrets::sealed)
        .first(c)
        .optional()
        .map_err(|source| About { what: SECRET, key: &shown }.find(source))?;
    found.map(|text| base64_text::decode(Row { table: "secrets", key: &shown }, "sealed", &text)).transpose()
}

/// Returns what is told of the secrets of exactly this scope, by name; `of.name` is not looked at.
pub fn secret_list(c: &mut StoreConnection, of: &SecretKey) -> Result<Vec<SecretRow>, StoreError> {
    let rows: Vec<(String, i64, i64)> = secrets::table
        .filter(secrets::enterprise.eq(&of.enterprise))
        .filter(secrets::org.eq(&of.org))
        .filter(secrets::project.eq(&of.project))
        .order(secrets::name)
        .select((secrets::name, secrets::created_at_ms, secrets::updated_at_ms))
        .load(c)
        .map_err(|source| StoreError::List { what: "secrets", source })?;
    let row = |(name, created_at_ms, updated_at_ms)| SecretRow { name, created_at_ms, updated_at_ms };
    Ok(rows.into_iter().map(row).collect())
}

/// Removes a secret; tells whether there was one.
pub fn secret_delete(c: &mut StoreConnection, key: &SecretKey) -> Result<bool, StoreError> {
    let shown = key.to_string();
    let target = secrets::table.find((&key.enterprise, &key.org, &key.project, &key.name));
    let removed = diesel::delete(target).execute(c);
    let removed = removed.map_err(|source| About { what: SECRET, key: &shown }.delete(source))? > 0;
    if removed {
        audit_note(c, "secret.delete", || Changed::new(format!("secret {shown}"), None, None))?;
    }
    Ok(removed)
}

/// Returns how many secrets there are.
pub fn secret_count(c: &mut StoreConnection) -> Result<i64, StoreError> {
    secrets::table.count().get_result(c).map_err(|source| StoreError::List { what: "secrets", source })
}
