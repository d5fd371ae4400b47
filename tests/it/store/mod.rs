//! Tests of the store area: each runs on SQLite and, with the feature `postgres`, on PostgreSQL.

use std::path::PathBuf;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use shuntyard::store::{Connection, Store, StoreError, StoreOptions, StoreUrl};

mod attempts;
mod audit;
mod change_lists;
mod checks;
mod collected;
mod durability;
mod enrolment_tokens;
mod fan_outs;
mod group_commit;
mod inventory;
mod job_apply;
mod jump_hosts;
mod migrations;
mod old_rows;
mod outbox;
mod pages;
mod pictures;
mod pipelines;
#[cfg(feature = "postgres")]
mod pools;
mod postgres;
mod project_usage;
mod request_keys;
mod retention;
mod runner_tests;
mod samples;
mod sealed;
mod secrets;
mod small_tables;
mod users;

/// An empty database of one kind, removed at the end.
pub struct Database {
    pub url: StoreUrl,
    /// The file of a SQLite database.
    pub file: Option<PathBuf>,
    _dir: Option<tempfile::TempDir>,
}

impl Database {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let url = StoreUrl::parse(&format!("sqlite:{}", file.display())).unwrap();
        Self { url, file: Some(file), _dir: Some(dir) }
    }

    #[cfg(feature = "postgres")]
    pub fn postgres() -> Self {
        let url = StoreUrl::parse(&crate::support::postgres::fresh_database()).unwrap();
        Self { url, file: None, _dir: None }
    }

    pub fn open(&self) -> Store {
        Store::open(&self.url, StoreOptions::default()).unwrap()
    }
}

/// Declares the named functions as tests of both databases; each takes an empty `Database`.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::store::Database::sqlite()).await;
            })+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::store::Database::postgres()).await;
            })+
        }
    };
}
use on_both_databases;

/// A failure of the tests' own work.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("refused on purpose")]
    Refused,
    #[error(transparent)]
    Sql(#[from] diesel::result::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// SQL past the store's own functions.
pub fn raw(c: &mut Connection, sql: &str) -> Result<(), WorkError> {
    Ok(c.batch_execute(sql)?)
}

/// The number that a query answers under the name `n`.
pub fn number(c: &mut Connection, sql: &str) -> Result<i64, WorkError> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    Ok(diesel::sql_query(sql).get_result::<Answer>(c)?.n)
}
