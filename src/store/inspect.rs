//! A look at a database that changes nothing, for `shuntd check`: also while a dispatcher uses it.

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::ManageConnection as _;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::connection::{Connector, Role, StoreConnection};
use super::error::StoreError;
use super::migrate::known_migrations;
use super::url::StoreUrl;

/// What a path in a URI of SQLite may not hold as it is.
const URI_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');
/// Findings of SQLite that are told.
const FAULTS_MAX: usize = 20;

/// A database as it was found.
pub struct Inspected {
    /// Reads only.
    pub connection: StoreConnection,
    /// Migrations that the next start makes; while there are some, rows are not to be read.
    pub pending: Vec<String>,
    /// What the database itself says is damaged.
    pub faults: Vec<String>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Orphans {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Nullable<Text>)]
    parent: Option<String>,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// Opens a database that exists, compares its tables with this version's, and asks SQLite whether it is whole. Blocks.
///
/// # Errors
/// `Connect` when it cannot be opened, `FromTheFuture`, `List` when its migrations cannot be read: it is none of ours.
pub fn inspect(url: &StoreUrl) -> Result<Inspected, StoreError> {
    let mut connection = open(url)?;
    let applied = applied_migrations(&mut connection)?;
    let known = known_migrations();
    let unknown: Vec<String> = applied.iter().filter(|version| !known.contains(version)).cloned().collect();
    if !unknown.is_empty() {
        return Err(StoreError::FromTheFuture { url: url.to_string(), unknown });
    }
    let pending = known.into_iter().filter(|version| !applied.contains(version)).collect();
    let faults = damage(&mut connection).map_err(|source| StoreError::List { what: "what is damaged", source })?;
    Ok(Inspected { connection, pending, faults })
}

/// The migrations that a database has, in order.
pub(super) fn applied_migrations(c: &mut StoreConnection) -> Result<Vec<String>, StoreError> {
    let asked = diesel::sql_query("SELECT version AS line FROM __diesel_schema_migrations ORDER BY version");
    let listed = |source| StoreError::List { what: "the migrations of the database", source };
    Ok(asked.load::<Line>(c).map_err(listed)?.into_iter().map(|row| row.line).collect())
}

/// A connection that reads only.
pub(super) fn open(url: &StoreUrl) -> Result<StoreConnection, StoreError> {
    let failed = |source| StoreError::Connect { url: url.to_string(), source };
    match url {
        StoreUrl::Sqlite(path) => {
            let path = path.to_string_lossy();
            // Never made, never written; a WAL that a crash has left is read from where it lies.
            let uri = format!("file:{}?mode=ro", utf8_percent_encode(&path, URI_PATH));
            let mut c = SqliteConnection::establish(&uri).map_err(|e| failed(e.into()))?;
            c.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;").map_err(|e| failed(e.into()))?;
            Ok(StoreConnection::Sqlite(c))
        }
        StoreUrl::Postgres(_) => Connector { url: url.clone(), role: Role::Reader }.connect().map_err(failed),
    }
}

/// PostgreSQL looks after itself.
fn damage(c: &mut StoreConnection) -> QueryResult<Vec<String>> {
    let c = match c {
        StoreConnection::Sqlite(c) => c,
        #[cfg(feature = "postgres")]
        StoreConnection::Pg(_) => return Ok(Vec::new()),
    };
    let asked = format!("SELECT integrity_check AS line FROM pragma_integrity_check LIMIT {FAULTS_MAX}");
    let lines = diesel::sql_query(asked).load::<Line>(c)?;
    let mut faults: Vec<String> = lines.into_iter().map(|row| row.line).filter(|line| line != "ok").collect();
    let asked = "SELECT \"table\" AS child, parent, count(*) AS rows FROM pragma_foreign_key_check GROUP BY 1, 2";
    for Orphans { child, parent, rows } in diesel::sql_query(asked).load::<Orphans>(c)? {
        faults.push(format!("{rows} row(s) of {child} belong to no row of {}", parent.unwrap_or_default()));
    }
    Ok(faults)
}
