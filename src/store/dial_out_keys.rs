//! The keys by which hosts that dial out open the tunnels of their runners; public halves only.

use diesel::prelude::*;
use serde_json::json;

use shuntyard_domain::ids::RunnerId;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::dial_out_keys;

const KEY: &str = "dial-out key";

/// Keeps `public_key` (`ALGORITHM BASE64`) as the one key of the runner.
///
/// # Errors
/// `Conflict` when it is another runner's; the transaction goes on.
pub fn dial_out_key_set(
    c: &mut StoreConnection,
    runner: RunnerId,
    public_key: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let key = runner.to_string();
    let about = About { what: KEY, key: &key };
    let values = (dial_out_keys::public_key.eq(public_key), dial_out_keys::created_at_ms.eq(now_ms));
    let written = c.transaction(|c| {
        let written = diesel::update(dial_out_keys::table.find(&key)).set(values).execute(c)?;
        if written > 0 {
            return Ok(written);
        }
        diesel::insert_into(dial_out_keys::table).values((dial_out_keys::runner_id.eq(&key), values)).execute(c)
    });
    written.map_err(|source| about.insert(source))?;
    audit_note(c, "dial_out.set", || Changed::new(format!("runner {key}"), None, Some(json!({"key": public_key}))))
}

/// Removes the runner's key, if it has one.
pub fn dial_out_key_delete(c: &mut StoreConnection, runner: RunnerId) -> Result<(), StoreError> {
    let key = runner.to_string();
    let deleted = diesel::delete(dial_out_keys::table.find(&key)).execute(c);
    if deleted.map_err(|source| About { what: KEY, key: &key }.delete(source))? > 0 {
        audit_note(c, "dial_out.remove", || Changed::new(format!("runner {key}"), None, None))?;
    }
    Ok(())
}

/// Returns every key with its runner.
pub fn dial_out_key_list(c: &mut StoreConnection) -> Result<Vec<(RunnerId, String)>, StoreError> {
    let rows: Vec<(String, String)> = dial_out_keys::table
        .select((dial_out_keys::runner_id, dial_out_keys::public_key))
        .load(c)
        .map_err(|source| StoreError::List { what: "dial-out keys", source })?;
    let read = |(id, public_key): (String, String)| {
        Ok((Row { table: "dial_out_keys", key: &id }.parse("runner_id", &id)?, public_key))
    };
    rows.into_iter().map(read).collect()
}
