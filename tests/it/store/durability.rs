//! What was acknowledged is there afterwards.

use shuntyard::store::{JobQuery, Store, StoreOptions, StoreUrl, job_find, job_insert, job_page};

use super::samples::{insert_histories, job};
use super::{Database, WorkError, number, on_both_databases};

on_both_databases!(acknowledged_rows_are_there_after_reopening);

async fn acknowledged_rows_are_there_after_reopening(db: Database) {
    let store = db.open();
    let written = store.write(insert_histories).await.unwrap();
    drop(store);
    let store = db.open();
    for job in written {
        let id = job.id;
        assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(job));
    }
}

/// The files are copied while the store is open, as a crash of the process would leave them.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_are_in_the_files_and_not_in_the_process() {
    let db = Database::sqlite();
    let file = db.file.clone().unwrap();
    let store = db.open();
    for number in 1..=20 {
        store.write(move |c| job_insert(c, &job(number))).await.unwrap();
        let crash = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal"] {
            let from = format!("{}{suffix}", file.display());
            std::fs::copy(from, crash.path().join(format!("store.db{suffix}"))).unwrap();
        }
        let copy = StoreUrl::Sqlite(crash.path().join("store.db"));
        let after = Store::open(&copy, StoreOptions::default()).unwrap();
        let all = JobQuery { limit: 500, ..JobQuery::default() };
        assert_eq!(after.read(move |c| job_page(c, &all)).await.unwrap().len() as u128, number);
        after.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_writer_waits_for_the_disk() {
    let db = Database::sqlite();
    let store = db.open();
    let settings = store
        .write(|c| {
            Ok::<_, WorkError>((
                number(c, "SELECT synchronous AS n FROM pragma_synchronous")?,
                number(c, "SELECT foreign_keys AS n FROM pragma_foreign_keys")?,
                number(c, "SELECT journal_mode = 'wal' AS n FROM pragma_journal_mode")?,
            ))
        })
        .await
        .unwrap();
    assert_eq!(settings, (2, 1, 1), "synchronous FULL, foreign keys, WAL");
}
