//! Bytes in a TEXT column: BLOB and BYTEA have no common name in a migration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{Row, StoreError};

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(row: Row<'_>, column: &'static str, text: &str) -> Result<Vec<u8>, StoreError> {
    // The value is not repeated: it may be a sealed key.
    STANDARD.decode(text).map_err(|fault| row.bad(column, fault))
}
