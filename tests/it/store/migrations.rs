//! Opening a database of this version, of none, and of a later one.

use shuntyard::store::{Store, StoreError, StoreOptions, StoreUrl, job_find, job_insert};

use super::samples::job;
use super::{Database, WorkError, number, on_both_databases, raw};

on_both_databases!(
    reopening_changes_nothing,
    several_may_open_an_empty_database_at_once,
    a_database_from_the_future_is_refused,
);

async fn reopening_changes_nothing(db: Database) {
    let store = db.open();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    for _ in 0..2 {
        let again = db.open();
        let found = again.read(|c| job_find(c, job(1).id)).await.unwrap();
        assert_eq!(found, Some(job(1)));
        let applied = again.read(|c| number(c, "SELECT count(*) AS n FROM __diesel_schema_migrations")).await.unwrap();
        assert_eq!(applied as usize, std::fs::read_dir("migrations").unwrap().count());
    }
}

async fn several_may_open_an_empty_database_at_once(db: Database) {
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let url = db.url.clone();
            std::thread::spawn(move || Store::open(&url, StoreOptions::default()))
        })
        .collect();
    for (number, opened) in (1..).zip(opening) {
        let store = opened.join().unwrap().unwrap();
        store.write(move |c| job_insert(c, &job(number))).await.unwrap();
    }
}

async fn a_database_from_the_future_is_refused(db: Database) {
    let store = db.open();
    store.write(|c| raw(c, "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')")).await.unwrap();
    store.close().await;
    let refused = Store::open(&db.url, StoreOptions::default()).err().expect("refused");
    assert!(matches!(&refused, StoreError::FromTheFuture { unknown, .. } if unknown == &["9999"]), "{refused:?}");
    assert!(refused.to_string().contains("newer version"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "buy milk\n".repeat(100)).unwrap();
    let refused = Store::open(&StoreUrl::Sqlite(file.clone()), StoreOptions::default());
    assert!(matches!(refused, Err(StoreError::Connect { .. })), "{:?}", refused.err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "buy milk\n".repeat(100));
    let nowhere = StoreUrl::Sqlite(dir.path().join("none/store.db"));
    let refused = Store::open(&nowhere, StoreOptions::default());
    assert!(matches!(refused, Err(StoreError::Connect { .. })), "{:?}", refused.err());
}

/// The rows of a table, whatever they hold, stay when a later migration fails: all migrations or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_foreign_tables_is_left_as_it_was() {
    let db = Database::sqlite();
    let store = db.open();
    store
        .write(|c| raw(c, "DELETE FROM __diesel_schema_migrations; DROP TABLE tokens; DROP TABLE job_events;"))
        .await
        .unwrap();
    store.close().await;
    let refused = Store::open(&db.url, StoreOptions::default()).err().expect("refused");
    assert!(matches!(&refused, StoreError::Migrate { .. }), "{refused:?}");
    let file = db.file.clone().unwrap();
    let mut c = <diesel::sqlite::SqliteConnection as diesel::Connection>::establish(file.to_str().unwrap()).unwrap();
    let tables = diesel::RunQueryDsl::get_result::<i64>(
        diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
            "(SELECT count(*) FROM sqlite_master WHERE name IN ('tokens', 'job_events'))",
        )),
        &mut c,
    );
    assert_eq!(tables.map_err(WorkError::from).unwrap(), 0);
}
