//! Brings the database to this version's tables; one dispatcher at a time.

use diesel::RunQueryDsl as _;
use diesel::migration::{Migration, MigrationConnection, MigrationSource as _};
use diesel::r2d2::ManageConnection as _;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Connector, StoreConnection};
use super::error::StoreError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Any number that no other program on the same PostgreSQL database uses: "shuntyrd" in ASCII.
#[cfg(feature = "postgres")]
const PG_LOCK: &str = "SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(8316025829200589412)";

/// All pending migrations or none; the second of two dispatchers waits for the first.
///
/// # Errors
/// `FromTheFuture` when the database has migrations that this version does not know; `SqliteTooOld`.
pub(super) fn migrate(connector: &Connector) -> Result<(), StoreError> {
    let url = connector.url.to_string();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| match source.downcast::<StoreError>() {
        Ok(known) => *known,
        Err(source) => StoreError::Migrate { url: url.clone(), source },
    };
    match connector.connect().map_err(|source| StoreError::Connect { url: url.clone(), source })? {
        StoreConnection::Sqlite(mut c) => {
            check_sqlite(&sqlite_version(&mut c).map_err(|e| failed(e.into()))?)?;
            c.immediate_transaction(|c| run(c, &url).map_err(Fault)).map_err(|Fault(fault)| failed(fault))
        }
        #[cfg(feature = "postgres")]
        StoreConnection::Pg(mut c) => locked(&mut c, &url).map_err(|Fault(fault)| failed(fault)),
    }
}

/// The versions of this program's migrations, in order.
#[must_use]
pub fn known_migrations() -> Vec<String> {
    let known: Result<Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>>, _> = MIGRATIONS.migrations();
    // Embedded when this was built: reading them does not fail.
    let mut versions: Vec<String> =
        known.unwrap_or_default().iter().map(|migration| migration.name().version().to_string()).collect();
    versions.sort();
    versions
}

/// Any error, so that `?` takes diesel's inside a transaction.
struct Fault(Box<dyn std::error::Error + Send + Sync>);

impl From<diesel::result::Error> for Fault {
    fn from(fault: diesel::result::Error) -> Self {
        Self(fault.into())
    }
}

#[cfg(feature = "postgres")]
fn locked(c: &mut diesel::pg::PgConnection, url: &str) -> Result<(), Fault> {
    use diesel::connection::{Connection as _, SimpleConnection as _};

    c.transaction(|c| {
        c.batch_execute(PG_LOCK)?;
        run(c, url).map_err(Fault)
    })
}

fn run<C>(c: &mut C, url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    C: MigrationHarness<C::Backend> + MigrationConnection,
    EmbeddedMigrations: diesel::migration::MigrationSource<C::Backend>,
{
    let known: Vec<Box<dyn Migration<C::Backend>>> = MIGRATIONS.migrations()?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied = c.applied_migrations()?;
    let mut unknown: Vec<String> =
        applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).collect();
    if !unknown.is_empty() {
        unknown.sort();
        return Err(StoreError::FromTheFuture { url: url.to_owned(), unknown }.into());
    }
    c.run_pending_migrations(MIGRATIONS)?;
    Ok(())
}

fn sqlite_version(c: &mut diesel::sqlite::SqliteConnection) -> Result<String, diesel::result::Error> {
    diesel::select(diesel::dsl::sql::<Text>("sqlite_version()")).get_result(c)
}

/// Older ones can corrupt a database when a checkpoint resets the WAL under a reader.
fn check_sqlite(found: &str) -> Result<(), StoreError> {
    let numbers: Vec<u32> = found.split('.').map_while(|part| part.parse().ok()).collect();
    if numbers.as_slice() >= [3, 51, 3].as_slice() {
        Ok(())
    } else {
        Err(StoreError::SqliteTooOld { found: found.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_can_corrupt_a_database_is_refused() {
        for old in ["3.7.11", "3.51.2", "3.50.9", "2.99.99", "", "x"] {
            assert!(matches!(check_sqlite(old), Err(StoreError::SqliteTooOld { .. })), "{old}");
        }
        for new in ["3.51.3", "3.53.2", "3.100.0", "4.0.0"] {
            assert!(check_sqlite(new).is_ok(), "{new}");
        }
    }
}
