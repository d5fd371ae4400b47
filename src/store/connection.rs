//! One connection of either database, and how the pool makes it.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use diesel::connection::{AnsiTransactionManager, Connection as _, SimpleConnection as _, TransactionManager};
use diesel::r2d2::{Error as ConnectError, ManageConnection, R2D2Connection as _};
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;
use diesel::{ConnectionError, RunQueryDsl as _};

use super::url::StoreUrl;

/// A connection of either database; queries are written once against it.
#[derive(diesel::MultiConnection)]
pub enum StoreConnection {
    Sqlite(SqliteConnection),
    #[cfg(feature = "postgres")]
    Pg(diesel::pg::PgConnection),
}

impl StoreConnection {
    /// Begins the transaction of a batch of writes.
    ///
    /// SQLite takes its write lock at once: a transaction that takes it later can fail half way.
    pub(super) fn begin_write(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            #[cfg(feature = "postgres")]
            Self::Pg(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// True when nobody but this process's one writer changes the database.
    pub(super) const fn has_one_writer(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Open transactions and savepoints; an error when the connection is unusable.
    pub(super) fn depth(&mut self) -> QueryResult<u32> {
        let status = <Self as TransactionManager<Self>>::transaction_manager_status_mut(self);
        Ok(status.transaction_depth()?.map_or(0, std::num::NonZeroU32::get))
    }
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// Makes connections for a pool; each side of the store has its own.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub url: StoreUrl,
    pub role: Role,
}

/// Every acknowledged write survives a power cut: FULL, not NORMAL, which lost some in WAL mode.
const SQLITE_WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; \
                             PRAGMA foreign_keys = ON;";
const SQLITE_READER: &str = "PRAGMA query_only = ON; PRAGMA foreign_keys = ON;";
/// First, so that the statements after it wait for a lock too.
const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 10000;";

/// Ten seconds together, as long as any other statement waits.
const LOCKED_TRIES: u32 = 500;
const LOCKED_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

#[cfg(feature = "postgres")]
const PG_READER: &str = "SET default_transaction_read_only = on; SET lock_timeout = '10s';";
/// A server whose default does not wait for the disk is told to; a stronger setting is left alone.
#[cfg(feature = "postgres")]
const PG_WRITER: &str = "SET lock_timeout = '10s'; SELECT set_config('synchronous_commit', 'on', false) \
                         WHERE current_setting('synchronous_commit') = 'off';";

impl ManageConnection for Connector {
    type Connection = StoreConnection;
    type Error = ConnectError;

    fn connect(&self) -> Result<StoreConnection, ConnectError> {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                if self.role == Role::Writer {
                    keep_private(path);
                }
                let path = path.to_str().ok_or_else(|| bad_connection("the path is not UTF-8"))?;
                let mut c = SqliteConnection::establish(path)?;
                c.batch_execute(SQLITE_PATIENCE)?;
                set_up(&mut c, if self.role == Role::Writer { SQLITE_WRITER } else { SQLITE_READER })?;
                check_wal(&mut c)?;
                Ok(StoreConnection::Sqlite(c))
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(uri) => {
                let mut c = diesel::pg::PgConnection::establish(&StoreUrl::with_patience(uri))?;
                c.batch_execute(if self.role == Role::Writer { PG_WRITER } else { PG_READER })?;
                Ok(StoreConnection::Pg(c))
            }
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => Err(bad_connection("this build has no PostgreSQL support")),
        }
    }

    fn is_valid(&self, c: &mut StoreConnection) -> Result<(), ConnectError> {
        c.ping().map_err(ConnectError::QueryError)
    }

    fn has_broken(&self, c: &mut StoreConnection) -> bool {
        std::thread::panicking() || c.is_broken()
    }
}

/// Makes a missing database file for its owner only, and takes other users' access to an older one away. SQLite gives
/// `-wal` and `-shm` the mode of the database. What cannot be made or changed, SQLite says why when it opens it.
fn keep_private(path: &Path) {
    if OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).is_ok() {
        return;
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let Ok(mode) = fs::metadata(&file).map(|data| data.permissions().mode()) else { continue };
        if mode & 0o077 != 0
            && let Err(error) = fs::set_permissions(&file, Permissions::from_mode(mode & 0o7700))
        {
            tracing::warn!(%error, path = %Path::new(&file).display(), "other users can read the database");
        }
    }
}

/// Runs the statements; while the database is locked, again: a change of the journal mode does not wait for others by
/// itself, however patient the connection is.
fn set_up(c: &mut SqliteConnection, statements: &str) -> Result<(), ConnectError> {
    for _ in 0..LOCKED_TRIES {
        match c.batch_execute(statements) {
            Err(diesel::result::Error::DatabaseError(_, why)) if why.message() == "database is locked" => {
                std::thread::sleep(LOCKED_PAUSE);
            }
            answer => return Ok(answer?),
        }
    }
    Ok(c.batch_execute(statements)?)
}

/// Refuses a file system on which SQLite falls back to another journal.
fn check_wal(c: &mut SqliteConnection) -> Result<(), ConnectError> {
    let mode: String =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("(SELECT journal_mode FROM pragma_journal_mode)"))
            .get_result(c)?;
    if mode == "wal" { Ok(()) } else { Err(bad_connection(&format!("its journal mode is `{mode}`, not WAL"))) }
}

fn bad_connection(why: &str) -> ConnectError {
    ConnectError::ConnectionError(ConnectionError::BadConnection(why.to_owned()))
}
