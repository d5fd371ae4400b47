//! What can go wrong in the store: one variant per operation that failed.

use std::sync::Arc;

use diesel::r2d2;
use diesel::result::{DatabaseErrorKind, Error as SqlError};

/// An operation of the store that failed. `Conflict` and `Raced` are for the caller to act on, the rest to report.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{shown}` is not a store URL: {why}")]
    BadUrl { shown: String, why: String },
    #[error("this build has no PostgreSQL support (cargo feature `postgres`)")]
    PostgresNotBuilt,
    #[error("PostgreSQL on `{host}` is not on this machine: add sslmode=require (or verify-full) to its URL")]
    Plaintext { host: String },
    #[error("SQLite {found} can corrupt a database in WAL mode; 3.51.3 or newer is needed")]
    SqliteTooOld { found: String },
    #[error("cannot open the database {url}")]
    Connect { url: String, source: r2d2::Error },
    #[error("cannot fill the connection pool of {url}")]
    Pool { url: String, source: r2d2::PoolError },
    #[error("cannot start the writer thread of the store")]
    StartWriter { source: std::io::Error },
    #[error("cannot bring the database {url} to this version's tables")]
    Migrate { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the database {url} was written by a newer version (it has the migrations {}): upgrade this one", unknown.join(", "))]
    FromTheFuture { url: String, unknown: Vec<String> },

    #[error("no database connection was free or could be made in time")]
    CheckOut { source: Arc<r2d2::PoolError> },
    #[error("cannot begin a transaction")]
    Begin { source: Arc<SqlError> },
    /// Nothing was written, unless the connection broke while PostgreSQL committed: then only a read tells.
    #[error("the transaction was not committed")]
    Commit { source: Arc<SqlError> },
    #[error("the database work panicked; what it wrote was rolled back")]
    Panicked,
    #[error("the store is closed")]
    Closed,

    /// The key is taken; nothing was written.
    #[error("there is already {} {what} `{key}`", article(.what))]
    Conflict { what: &'static str, key: String },
    /// Somebody else changed the record since it was read; nothing was written.
    #[error("the {what} `{key}` has changed since version {expected}")]
    Raced { what: &'static str, key: String, expected: i64 },
    /// Another request with this Idempotency-Key has made what it asks for; nothing was written.
    #[error("a request with the Idempotency-Key `{key}` was carried out before")]
    Repeated { key: String },
    #[error("there is no {what} `{key}`")]
    NotFound { what: &'static str, key: String },
    /// A row that this version cannot have written.
    #[error("{table} row `{key}`: column {column} holds `{found}`")]
    BadRow { table: &'static str, key: String, column: &'static str, found: String },
    #[error("{what} `{key}`: {field} is too large to store")]
    TooLarge { what: &'static str, key: String, field: &'static str },
    #[error("cannot write {field} of {what} `{key}` as JSON")]
    Encode { what: &'static str, key: String, field: &'static str, source: serde_json::Error },

    #[error("cannot copy the database to {}", to.display())]
    Copy { to: std::path::PathBuf, source: SqlError },
    #[error("cannot insert {what} `{key}`")]
    Insert { what: &'static str, key: String, source: SqlError },
    #[error("cannot read {what} `{key}`")]
    Find { what: &'static str, key: String, source: SqlError },
    #[error("cannot list {what}")]
    List { what: &'static str, source: SqlError },
    #[error("cannot update {what} `{key}`")]
    Update { what: &'static str, key: String, source: SqlError },
    #[error("cannot delete {what} `{key}`")]
    Delete { what: &'static str, key: String, source: SqlError },
}

/// What a statement is about, for its error: `("runner", hostname)`.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub what: &'static str,
    pub key: &'a str,
}

impl About<'_> {
    /// A taken key becomes `Conflict`, decided by the kind of the error and never by a constraint's name.
    pub fn insert(self, source: SqlError) -> StoreError {
        let (what, key) = (self.what, self.key.to_owned());
        match source {
            SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => StoreError::Conflict { what, key },
            source => StoreError::Insert { what, key, source },
        }
    }

    pub fn find(self, source: SqlError) -> StoreError {
        StoreError::Find { what: self.what, key: self.key.to_owned(), source }
    }

    pub fn update(self, source: SqlError) -> StoreError {
        let (what, key) = (self.what, self.key.to_owned());
        match source {
            SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => StoreError::Conflict { what, key },
            source => StoreError::Update { what, key, source },
        }
    }

    pub fn delete(self, source: SqlError) -> StoreError {
        StoreError::Delete { what: self.what, key: self.key.to_owned(), source }
    }

    pub fn not_found(self) -> StoreError {
        StoreError::NotFound { what: self.what, key: self.key.to_owned() }
    }

    /// Writes a field as JSON text.
    pub fn json(self, field: &'static str, value: &impl serde::Serialize) -> Result<String, StoreError> {
        let (what, key) = (self.what, self.key);
        serde_json::to_string(value).map_err(|source| StoreError::Encode { what, key: key.to_owned(), field, source })
    }
}

/// What stands before the name of a kind of row.
pub fn article(what: &str) -> &'static str {
    let vowel = what.starts_with(['a', 'e', 'i', 'o', 'u']) && !what.starts_with("use");
    if vowel { "an" } else { "a" }
}

/// Names the row that is being read, for `BadRow`.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub table: &'static str,
    pub key: &'a str,
}

impl Row<'_> {
    pub fn bad(self, column: &'static str, found: impl ToString) -> StoreError {
        let found = found.to_string().chars().take(80).collect();
        StoreError::BadRow { table: self.table, key: self.key.to_owned(), column, found }
    }

    /// Reads a word, an id or a number.
    pub fn parse<T: std::str::FromStr>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.bad(column, text))
    }

    /// Reads a word that may be absent.
    pub fn parse_opt<T: std::str::FromStr>(
        self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    pub fn number<T: TryFrom<i64>>(self, column: &'static str, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_| self.bad(column, number))
    }

    pub fn json<T: serde::de::DeserializeOwned>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|fault| self.bad(column, format!("{fault}: {text}")))
    }

    /// A column that the state says is there.
    pub fn present<T>(self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.bad(column, "NULL"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_told_with_its_article() {
        for (what, told) in [
            ("organisation", "already an organisation `x`"),
            ("runner", "already a runner `x`"),
            ("user", "already a user `x`"),
        ] {
            assert!(StoreError::Conflict { what, key: "x".into() }.to_string().contains(told), "{what}");
        }
    }
}
