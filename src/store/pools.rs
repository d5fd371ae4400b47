//! Pools: what people say about them, and the sealed secret by which their calls are signed.

use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use shuntyard_domain::pool::PoolSpec;
use shuntyard_domain::pool::name::PoolName;

use super::audit::{self, Changed, audit_note};
use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::pools;

const POOL: &str = "pool";

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    pub id: Uuid,
    pub name: PoolName,
    pub spec: PoolSpec,
    pub sealed_secret: Vec<u8>,
    /// Its instances are stopped, then it goes.
    pub deleting: bool,
    pub created_at_ms: i64,
    pub created_by: String,
    pub version: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pools)]
struct Columns {
    id: String,
    name: String,
    spec: String,
    sealed_secret: String,
    deleting: bool,
    created_at_ms: i64,
    created_by: String,
    version: i64,
}

impl Columns {
    fn new(pool: &PoolRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            spec: About { what: POOL, key: pool.name.as_str() }.json("spec", &pool.spec)?,
            sealed_secret: base64_text::encode(&pool.sealed_secret),
            deleting: pool.deleting,
            created_at_ms: pool.created_at_ms,
            created_by: pool.created_by.clone(),
            version: pool.version,
        })
    }

    fn into_row(self) -> Result<PoolRow, StoreError> {
        let row = Row { table: "pools", key: &self.id };
        Ok(PoolRow {
            id: row.parse("id", &self.id)?,
            name: row.parse("name", &self.name)?,
            spec: row.json("spec", &self.spec)?,
            sealed_secret: base64_text::decode(row, "sealed_secret", &self.sealed_secret)?,
            deleting: self.deleting,
            created_at_ms: self.created_at_ms,
            created_by: self.created_by,
            version: self.version,
        })
    }
}

/// Inserts a pool.
///
/// # Errors
/// `Conflict` when its name is taken.
pub fn pool_insert(c: &mut StoreConnection, pool: &PoolRow) -> Result<(), StoreError> {
    let columns = Columns::new(pool)?;
    c.transaction(|c| diesel::insert_into(pools::table).values(columns).execute(c))
        .map_err(|source| About { what: POOL, key: pool.name.as_str() }.insert(source))?;
    audit_note(c, "pool.create", || changed(None, pool))
}

/// Returns every pool, by name in byte order.
pub fn pool_list(c: &mut StoreConnection) -> Result<Vec<PoolRow>, StoreError> {
    let rows: Vec<Columns> = pools::table
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "pools", source })?;
    let mut found = rows.into_iter().map(Columns::into_row).collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Returns the pool of that name.
pub fn pool_find(c: &mut StoreConnection, name: &str) -> Result<Option<PoolRow>, StoreError> {
    let found = pools::table.filter(pools::name.eq(name)).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: POOL, key: name }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns the pool with that id.
pub fn pool_by_id(c: &mut StoreConnection, id: Uuid) -> Result<Option<PoolRow>, StoreError> {
    let key = id.to_string();
    let found = pools::table.find(&key).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: POOL, key: &key }.find(source))?.map(Columns::into_row).transpose()
}

/// Writes the whole record over version `pool.version` and returns it with its new version.
///
/// # Errors
/// `Raced` when it has another version by now or is gone.
pub fn pool_update(c: &mut StoreConnection, pool: &PoolRow) -> Result<PoolRow, StoreError> {
    let next = PoolRow { version: pool.version + 1, ..pool.clone() };
    let key = pool.id.to_string();
    let about = About { what: POOL, key: pool.name.as_str() };
    let target = pools::table.filter(pools::id.eq(&key)).filter(pools::version.eq(pool.version));
    let columns = Columns::new(&next)?;
    let before = if audit::is_acting() { pool_by_id(c, pool.id)? } else { None };
    let written = diesel::update(target).set(columns).execute(c).map_err(|source| about.update(source))?;
    if written > 0 {
        audit_note(c, "pool.change", || changed(before.as_ref(), &next))?;
        return Ok(next);
    }
    Err(StoreError::Raced { what: POOL, key: pool.name.to_string(), expected: pool.version })
}

/// Removes a pool; tells whether it was there.
pub fn pool_delete(c: &mut StoreConnection, id: Uuid) -> Result<bool, StoreError> {
    let key = id.to_string();
    diesel::delete(pools::table.find(&key))
        .execute(c)
        .map(|deleted| deleted > 0)
        .map_err(|source| About { what: POOL, key: &key }.delete(source))
}

/// What the audit log says of a pool's record.
fn changed(before: Option<&PoolRow>, after: &PoolRow) -> Changed {
    let body = |pool: &PoolRow| json!({"spec": pool.spec, "deleting": pool.deleting});
    Changed::new(format!("pool {}", after.name), before.map(body), Some(body(after)))
}
