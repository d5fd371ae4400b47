//! Jump hosts and the sealed private half of each one's key.

use diesel::prelude::*;
use serde_json::json;
use shuntyard_domain::jump_host::JumpHost;
use shuntyard_domain::tenancy::Name;

use super::audit::{self, Changed, audit_note};
use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::jump_hosts;

const JUMP_HOST: &str = "jump host";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = jump_hosts, treat_none_as_null = true)]
struct Columns {
    id: String,
    name: String,
    endpoint: String,
    openssh_public_key: String,
    quarantine: Option<String>,
    created_at_ms: i64,
    updated_at_ms: i64,
    version: i64,
}

impl Columns {
    fn new(host: &JumpHost) -> Result<Self, StoreError> {
        let about = About { what: JUMP_HOST, key: host.name.as_str() };
        Ok(Self {
            id: host.id.to_string(),
            name: host.name.to_string(),
            endpoint: about.json("endpoint", &host.endpoint)?,
            openssh_public_key: host.openssh_public_key.clone(),
            quarantine: host.quarantine.as_ref().map(|note| about.json("quarantine", note)).transpose()?,
            created_at_ms: host.created_at_ms,
            updated_at_ms: host.updated_at_ms,
            version: host.version,
        })
    }

    fn into_host(self) -> Result<JumpHost, StoreError> {
        let key = self.id.clone();
        let row = Row { table: "jump_hosts", key: &key };
        Ok(JumpHost {
            id: row.parse("id", &self.id)?,
            name: row.parse("name", &self.name)?,
            endpoint: row.json("endpoint", &self.endpoint)?,
            openssh_public_key: self.openssh_public_key,
            quarantine: self.quarantine.map(|note| row.json("quarantine", &note)).transpose()?,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            version: self.version,
        })
    }
}

/// Inserts a jump host with the sealed private half of its key.
///
/// # Errors
/// `Conflict` when the name (or the id) is taken; the transaction goes on.
pub fn jump_host_insert(c: &mut StoreConnection, host: &JumpHost, sealed: &[u8]) -> Result<(), StoreError> {
    let (columns, sealed) = (Columns::new(host)?, base64_text::encode(sealed));
    c.transaction(|c| {
        let values = (columns, jump_hosts::sealed_private_key.eq(sealed));
        diesel::insert_into(jump_hosts::table).values(values).execute(c)
    })
    .map_err(|source| About { what: JUMP_HOST, key: host.name.as_str() }.insert(source))?;
    audit_note(c, "jump_host.add", || changed(None, host))
}

/// Returns the jump host of that name.
pub fn jump_host_find(c: &mut StoreConnection, name: &Name) -> Result<Option<JumpHost>, StoreError> {
    let found = jump_hosts::table.filter(jump_hosts::name.eq(name.as_str())).select(Columns::as_select());
    let found = found.first(c).optional();
    found
        .map_err(|source| About { what: JUMP_HOST, key: name.as_str() }.find(source))?
        .map(Columns::into_host)
        .transpose()
}

/// Returns every jump host with its sealed key, in no order.
pub fn jump_host_list(c: &mut StoreConnection) -> Result<Vec<(JumpHost, Vec<u8>)>, StoreError> {
    let rows: Vec<(Columns, String)> = jump_hosts::table
        .select((Columns::as_select(), jump_hosts::sealed_private_key))
        .load(c)
        .map_err(|source| StoreError::List { what: "jump hosts", source })?;
    let row = |(columns, sealed): (Columns, String)| {
        let key = columns.id.clone();
        let sealed = base64_text::decode(Row { table: "jump_hosts", key: &key }, "sealed_private_key", &sealed)?;
        Ok((columns.into_host()?, sealed))
    };
    rows.into_iter().map(row).collect()
}

/// Writes the whole record over version `host.version` and returns it with its new version.
///
/// # Errors
/// `Raced` when it has another version by now, or is gone.
pub fn jump_host_update(c: &mut StoreConnection, host: &JumpHost) -> Result<JumpHost, StoreError> {
    let next = JumpHost { version: host.version + 1, ..host.clone() };
    let (key, columns) = (host.id.to_string(), Columns::new(&next)?);
    let target = jump_hosts::table.filter(jump_hosts::id.eq(&key)).filter(jump_hosts::version.eq(host.version));
    let before = if audit::is_acting() { jump_host_find(c, &host.name)? } else { None };
    let written = c.transaction(|c| diesel::update(target).set(columns).execute(c));
    if written.map_err(|source| About { what: JUMP_HOST, key: host.name.as_str() }.update(source))? > 0 {
        audit_note(c, "jump_host.change", || changed(before.as_ref(), &next))?;
        return Ok(next);
    }
    Err(StoreError::Raced { what: JUMP_HOST, key: host.name.to_string(), expected: host.version })
}

/// Replaces the sealed private half; the record and its version stay.
///
/// # Errors
/// `NotFound` when there is no such jump host.
pub fn jump_host_replace_key(c: &mut StoreConnection, name: &Name, sealed: &[u8]) -> Result<(), StoreError> {
    let about = About { what: JUMP_HOST, key: name.as_str() };
    let target = jump_hosts::table.filter(jump_hosts::name.eq(name.as_str()));
    let written = diesel::update(target)
        .set(jump_hosts::sealed_private_key.eq(base64_text::encode(sealed)))
        .execute(c)
        .map_err(|source| about.update(source))?;
    if written == 0 {
        return Err(about.not_found());
    }
    audit_note(c, "jump_host.key", || Changed::new(format!("jump host {name}"), None, None))
}

/// Removes a jump host and its key. Tells whether it was there.
pub fn jump_host_delete(c: &mut StoreConnection, name: &Name) -> Result<bool, StoreError> {
    let removed = diesel::delete(jump_hosts::table.filter(jump_hosts::name.eq(name.as_str()))).execute(c);
    let removed = removed.map_err(|source| About { what: JUMP_HOST, key: name.as_str() }.delete(source))? > 0;
    if removed {
        audit_note(c, "jump_host.delete", || Changed::new(format!("jump host {name}"), None, None))?;
    }
    Ok(removed)
}

/// What the audit log says of a jump host's record.
fn changed(before: Option<&JumpHost>, after: &JumpHost) -> Changed {
    let body = |host: &JumpHost| json!({"endpoint": host.endpoint, "quarantine": host.quarantine});
    Changed::new(format!("jump host {}", after.name), before.map(body), Some(body(after)))
}
