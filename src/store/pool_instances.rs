//! The machines of pools. A row changes state through `instance_apply` only.

use diesel::prelude::*;
use uuid::Uuid;

use shuntyard_domain::pool::instance::{Instance, InstanceEvent};

use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::pool_instances;

const INSTANCE: &str = "instance of a pool";
const ENDED: [&str; 2] = ["stopped", "failed"];
/// Ended machines that are kept for people to look at, for each pool.
const ENDED_KEPT: i64 = 100;

/// One machine of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRow {
    /// Our name for it, and its runner's.
    pub id: String,
    pub pool: Uuid,
    pub instance: Instance,
    /// What went wrong, or who wanted it to go.
    pub note: Option<String>,
    pub token_id: String,
    /// The enrolment token, until it is not needed any more.
    pub sealed_token: Option<Vec<u8>>,
    pub version: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pool_instances, treat_none_as_null = true)]
struct Columns {
    id: String,
    pool_id: String,
    state: String,
    reason: Option<String>,
    note: Option<String>,
    provider_id: Option<String>,
    token_id: String,
    sealed_token: Option<String>,
    runner_id: Option<String>,
    created_at_ms: i64,
    state_at_ms: i64,
    accepted_at_ms: Option<i64>,
    enrolled_at_ms: Option<i64>,
    version: i64,
}

impl From<&InstanceRow> for Columns {
    fn from(row: &InstanceRow) -> Self {
        let instance = &row.instance;
        Self {
            id: row.id.clone(),
            pool_id: row.pool.to_string(),
            state: instance.state.to_string(),
            reason: instance.reason.map(|reason| reason.to_string()),
            note: row.note.clone(),
            provider_id: instance.provider_id.clone(),
            token_id: row.token_id.clone(),
            sealed_token: row.sealed_token.as_deref().map(base64_text::encode),
            runner_id: instance.runner.map(|runner| runner.to_string()),
            created_at_ms: instance.created_at_ms,
            state_at_ms: instance.state_at_ms,
            accepted_at_ms: instance.accepted_at_ms,
            enrolled_at_ms: instance.enrolled_at_ms,
            version: row.version,
        }
    }
}

impl Columns {
    fn into_row(self) -> Result<InstanceRow, StoreError> {
        let row = Row { table: "pool_instances", key: &self.id };
        Ok(InstanceRow {
            pool: row.parse("pool_id", &self.pool_id)?,
            instance: Instance {
                state: row.parse("state", &self.state)?,
                reason: row.parse_opt("reason", self.reason.as_deref())?,
                provider_id: self.provider_id,
                runner: row.parse_opt("runner_id", self.runner_id.as_deref())?,
                created_at_ms: self.created_at_ms,
                state_at_ms: self.state_at_ms,
                accepted_at_ms: self.accepted_at_ms,
                enrolled_at_ms: self.enrolled_at_ms,
            },
            note: self.note,
            sealed_token: self.sealed_token.map(|text| base64_text::decode(row, "sealed_token", &text)).transpose()?,
            token_id: self.token_id,
            version: self.version,
            id: self.id,
        })
    }
}

/// Inserts a machine that is to be asked for, and forgets the oldest ended ones of its pool beyond 100.
///
/// # Errors
/// `Conflict` when its name is taken.
pub fn instance_insert(c: &mut StoreConnection, row: &InstanceRow) -> Result<(), StoreError> {
    let about = About { what: INSTANCE, key: &row.id };
    c.transaction(|c| diesel::insert_into(pool_instances::table).values(Columns::from(row)).execute(c))
        .map_err(|source| about.insert(source))?;
    let old: Vec<String> = pool_instances::table
        .filter(pool_instances::pool_id.eq(row.pool.to_string()))
        .filter(pool_instances::state.eq_any(ENDED))
        .order(pool_instances::created_at_ms.desc())
        .offset(ENDED_KEPT)
        .limit(i64::MAX)
        .select(pool_instances::id)
        .load(c)
        .map_err(|source| about.find(source))?;
    for id in old {
        diesel::delete(pool_instances::table.find(&id)).execute(c).map_err(|source| about.delete(source))?;
    }
    Ok(())
}

/// Returns the machine of that name.
pub fn instance_find(c: &mut StoreConnection, id: &str) -> Result<Option<InstanceRow>, StoreError> {
    let found = pool_instances::table.find(id).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: INSTANCE, key: id }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns the machines of every pool that may exist, oldest first.
pub fn instances_live(c: &mut StoreConnection) -> Result<Vec<InstanceRow>, StoreError> {
    let rows: Vec<Columns> = pool_instances::table
        .filter(pool_instances::state.ne_all(ENDED))
        .order((pool_instances::created_at_ms, pool_instances::id))
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "instances of pools", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Returns the machines of one pool, ended ones too, newest first.
pub fn instances_of(c: &mut StoreConnection, pool: Uuid) -> Result<Vec<InstanceRow>, StoreError> {
    let rows: Vec<Columns> = pool_instances::table
        .filter(pool_instances::pool_id.eq(pool.to_string()))
        .order((pool_instances::created_at_ms.desc(), pool_instances::id.desc()))
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "instances of a pool", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Takes a machine through an event; returns it as it is then, and `None` when the event means nothing there any more.
///
/// Its enrolment token is forgotten as soon as it is not needed.
///
/// # Errors
/// `Raced` when another dispatcher changed it in this moment.
pub fn instance_apply(
    c: &mut StoreConnection,
    id: &str,
    event: &InstanceEvent,
    note: Option<&str>,
    now_ms: i64,
) -> Result<Option<InstanceRow>, StoreError> {
    let Some(before) = instance_find(c, id)? else { return Ok(None) };
    let Ok(instance) = before.instance.after(event, now_ms) else { return Ok(None) };
    let keeps_token = instance.reason.is_none() && instance.runner.is_none();
    let after = InstanceRow {
        instance,
        note: note.map(ToOwned::to_owned).or(before.note),
        sealed_token: before.sealed_token.filter(|_| keeps_token),
        version: before.version + 1,
        ..before
    };
    let target =
        pool_instances::table.filter(pool_instances::id.eq(id)).filter(pool_instances::version.eq(after.version - 1));
    let about = About { what: INSTANCE, key: id };
    let written =
        diesel::update(target).set(Columns::from(&after)).execute(c).map_err(|source| about.update(source))?;
    if written == 0 {
        return Err(StoreError::Raced { what: INSTANCE, key: id.to_owned(), expected: after.version - 1 });
    }
    Ok(Some(after))
}

/// Forgets every machine of a pool.
pub fn instances_delete(c: &mut StoreConnection, pool: Uuid) -> Result<(), StoreError> {
    let key = pool.to_string();
    let gone = diesel::delete(pool_instances::table.filter(pool_instances::pool_id.eq(&key))).execute(c);
    gone.map(drop).map_err(|source| About { what: INSTANCE, key: &key }.delete(source))
}
