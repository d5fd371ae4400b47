//! What the dispatcher keeps about itself, such as its instance id: a word and a text.

use diesel::prelude::*;

use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::schema::settings;

const SETTING: &str = "setting";

/// Returns the value kept under `name`.
pub fn setting_find(c: &mut StoreConnection, name: &str) -> Result<Option<String>, StoreError> {
    let found = settings::table.find(name).select(settings::value).first(c).optional();
    found.map_err(|source| About { what: SETTING, key: name }.find(source))
}

/// Keeps `value` under `name`, over what was there.
///
/// # Errors
/// `Conflict` when another dispatcher keeps its first value at the same moment: try again.
pub fn setting_set(c: &mut StoreConnection, name: &str, value: &str) -> Result<(), StoreError> {
    let about = About { what: SETTING, key: name };
    let updated = diesel::update(settings::table.find(name)).set(settings::value.eq(value)).execute(c);
    match updated.map_err(|source| about.update(source))? {
        0 => insert(c, name, value),
        _ => Ok(()),
    }
}

/// Returns the value kept under `name`; keeps `value` when there is none. The first writer wins.
pub fn setting_or_insert(c: &mut StoreConnection, name: &str, value: &str) -> Result<String, StoreError> {
    if let Some(found) = setting_find(c, name)? {
        return Ok(found);
    }
    match insert(c, name, value) {
        Ok(()) => Ok(value.to_owned()),
        Err(conflict @ StoreError::Conflict { .. }) => setting_find(c, name)?.ok_or(conflict),
        Err(fault) => Err(fault),
    }
}

/// In a savepoint: on PostgreSQL a taken name would else spoil the whole transaction.
fn insert(c: &mut StoreConnection, name: &str, value: &str) -> Result<(), StoreError> {
    c.transaction(|c| {
        let row = (settings::name.eq(name), settings::value.eq(value));
        diesel::insert_into(settings::table).values(row).execute(c)
    })
    .map_err(|source| About { what: SETTING, key: name }.insert(source))?;
    Ok(())
}
