//! A copy of the SQLite database as of one moment, also while a dispatcher writes.

use std::path::Path;

use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;

use super::connection::StoreConnection;
use super::error::StoreError;
use super::inspect::{applied_migrations, open};
use super::url::StoreUrl;

/// Writes a compact copy into `to`, an empty file, and answers the migrations that it has. Blocks.
///
/// # Errors
/// `Connect`, `List` when it is none of ours, `Copy`.
pub fn copy_into(url: &StoreUrl, to: &Path) -> Result<Vec<String>, StoreError> {
    let mut connection = open(url)?;
    let applied = applied_migrations(&mut connection)?;
    let failed = |source: diesel::result::Error| StoreError::Copy { to: to.to_owned(), source };
    match &mut connection {
        StoreConnection::Sqlite(c) => {
            // The copy is a write, too; the database itself was opened for reading only.
            diesel::sql_query("PRAGMA query_only = OFF").execute(c).map_err(failed)?;
            let target = to.to_string_lossy().into_owned();
            diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(c).map_err(failed)?;
            Ok(applied)
        }
        #[cfg(feature = "postgres")]
        StoreConnection::Pg(_) => Err(failed(diesel::result::Error::RollbackTransaction)),
    }
}
