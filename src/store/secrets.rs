//! Secrets, as they are sealed: this layer never sees what is in them.

use diesel::prelude::*;

use shuntyard_domain::ids::RunnerId;

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
    /// A runner's id, or empty; a runner's secret has neither `org` nor `project`.
    pub runner: String,
    pub name: String,
}

/// Also the associated data under which it is sealed, behind `secret:`. No name holds a slash.
impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.enterprise, self.org, self.project, self.name)?;
        if self.runner.is_empty() { Ok(()) } else { write!(f, "/runner/{}", self.runner) }
    }
}

/// What is told of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    pub name: String,
    pub created_at_ms: i64,
    pub created_by: String,
    pub updated_at_ms: i64,
    pub updated_by: String,
}

type Key<'k> = (&'k str, &'k str, &'k str, &'k str, &'k str);

fn columns(key: &SecretKey) -> Key<'_> {
    (&key.enterprise, &key.org, &key.project, &key.runner, &key.name)
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
    let target = secrets::table.find(columns(key));
    let values = (secrets::sealed.eq(&sealed), secrets::updated_at_ms.eq(now_ms), secrets::updated_by.eq(by));
    audit_note(c, "secret.set", || Changed::new(format!("secret {shown}"), None, None))?;
    if diesel::update(target).set(values).execute(c).map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    let row = (
        secrets::enterprise.eq(&key.enterprise),
        secrets::org.eq(&key.org),
        secrets::project.eq(&key.project),
        secrets::runner_id.eq(&key.runner),
        secrets::name.eq(&key.name),
        secrets::created_at_ms.eq(now_ms),
        secrets::created_by.eq(by),
        values,
    );
    // In a savepoint: on PostgreSQL a taken key would else spoil the whole transaction.
    c.transaction(|c| diesel::insert_into(secrets::table).values(row).execute(c))
        .map_err(|source| about.insert(source))?;
    Ok(())
}

/// Returns the sealed value.
pub fn secret_find(c: &mut StoreConnection, key: &SecretKey) -> Result<Option<Vec<u8>>, StoreError> {
    let shown = key.to_string();
    let target = secrets::table.find(columns(key));
    let found: Option<String> = target
        .select(secrets::sealed)
        .first(c)
        .optional()
        .map_err(|source| About { what: SECRET, key: &shown }.find(source))?;
    found.map(|text| base64_text::decode(Row { table: "secrets", key: &shown }, "sealed", &text)).transpose()
}

/// Returns the first of the keys under which a value is kept, with the sealed value.
pub fn secret_first(c: &mut StoreConnection, keys: &[SecretKey]) -> Result<Option<(SecretKey, Vec<u8>)>, StoreError> {
    for key in keys {
        if let Some(sealed) = secret_find(c, key)? {
            return Ok(Some((key.clone(), sealed)));
        }
    }
    Ok(None)
}

/// Tells whether some runner of the enterprise has a secret of this name.
pub fn secret_of_a_runner(c: &mut StoreConnection, enterprise: &str, name: &str) -> Result<bool, StoreError> {
    let found = secrets::table
        .filter(secrets::enterprise.eq(enterprise))
        .filter(secrets::runner_id.ne(""))
        .filter(secrets::name.eq(name))
        .select(secrets::name)
        .first::<String>(c)
        .optional();
    Ok(found.map_err(|source| About { what: SECRET, key: name }.find(source))?.is_some())
}

/// Returns what is told of the secrets of exactly this scope, by name; `of.name` is not looked at.
pub fn secret_list(c: &mut StoreConnection, of: &SecretKey) -> Result<Vec<SecretRow>, StoreError> {
    let rows: Vec<(String, i64, String, i64, String)> = secrets::table
        .filter(secrets::enterprise.eq(&of.enterprise))
        .filter(secrets::org.eq(&of.org))
        .filter(secrets::project.eq(&of.project))
        .filter(secrets::runner_id.eq(&of.runner))
        .order(secrets::name)
        .select((
            secrets::name,
            secrets::created_at_ms,
            secrets::created_by,
            secrets::updated_at_ms,
            secrets::updated_by,
        ))
        .load(c)
        .map_err(|source| StoreError::List { what: "secrets", source })?;
    let row = |(name, created_at_ms, created_by, updated_at_ms, updated_by)| SecretRow {
        name,
        created_at_ms,
        created_by,
        updated_at_ms,
        updated_by,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Removes a secret; tells whether there was one.
pub fn secret_delete(c: &mut StoreConnection, key: &SecretKey) -> Result<bool, StoreError> {
    let shown = key.to_string();
    let target = secrets::table.find(columns(key));
    let removed = diesel::delete(target).execute(c);
    let removed = removed.map_err(|source| About { what: SECRET, key: &shown }.delete(source))? > 0;
    if removed {
        audit_note(c, "secret.delete", || Changed::new(format!("secret {shown}"), None, None))?;
    }
    Ok(removed)
}

/// Forgets the secrets of a runner that is deleted.
pub(super) fn secrets_of_runner_delete(c: &mut StoreConnection, id: RunnerId) -> Result<(), StoreError> {
    let key = id.to_string();
    let deleted = diesel::delete(secrets::table.filter(secrets::runner_id.eq(&key))).execute(c);
    deleted.map(drop).map_err(|source| About { what: SECRET, key: &key }.delete(source))
}

/// Returns how many secrets there are.
pub fn secret_count(c: &mut StoreConnection) -> Result<i64, StoreError> {
    secrets::table.count().get_result(c).map_err(|source| StoreError::List { what: "secrets", source })
}
