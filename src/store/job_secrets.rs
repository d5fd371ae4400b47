//! What each unfinished job was handed at its last start, sealed; written before the first byte of the start leaves.

use diesel::prelude::*;

use shuntyard_domain::ids::JobId;

use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::job_secrets;

const HANDED: &str = "secrets of job";

/// Keeps what a job is handed, over what it was handed before.
///
/// # Errors
/// `Conflict` when somebody else keeps its first value at the same moment.
pub fn job_secrets_put(c: &mut StoreConnection, id: JobId, sealed: &[u8]) -> Result<(), StoreError> {
    let key = id.to_string();
    let (about, sealed) = (About { what: HANDED, key: &key }, base64_text::encode(sealed));
    let row = job_secrets::table.find(&key);
    let written = diesel::update(row).set(job_secrets::sealed.eq(&sealed)).execute(c);
    if written.map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    let values = (job_secrets::job_id.eq(&key), job_secrets::sealed.eq(&sealed));
    c.transaction(|c| diesel::insert_into(job_secrets::table).values(values).execute(c))
        .map(drop)
        .map_err(|source| about.insert(source))
}

/// Returns what a job was handed.
pub fn job_secrets_find(c: &mut StoreConnection, id: JobId) -> Result<Option<Vec<u8>>, StoreError> {
    let key = id.to_string();
    let found: Option<String> = job_secrets::table
        .find(&key)
        .select(job_secrets::sealed)
        .first(c)
        .optional()
        .map_err(|source| About { what: HANDED, key: &key }.find(source))?;
    found.map(|text| base64_text::decode(Row { table: "job_secrets", key: &key }, "sealed", &text)).transpose()
}

/// Forgets what a job was handed that has ended.
pub(super) fn job_secrets_delete(c: &mut StoreConnection, id: JobId) -> Result<(), StoreError> {
    let key = id.to_string();
    let deleted = diesel::delete(job_secrets::table.find(&key)).execute(c);
    deleted.map(drop).map_err(|source| About { what: HANDED, key: &key }.delete(source))
}
