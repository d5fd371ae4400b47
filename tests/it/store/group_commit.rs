//! Many writers, one transaction: what they share and what they do not.

use std::sync::mpsc;
use std::time::Duration;

use diesel::connection::TransactionManager as _;
use shuntyard::store::{
    Connection, JobQuery, Store, StoreError, job_insert, job_page, runner_find, runner_insert, setting_find,
    setting_set,
};

use super::samples::{job, runner};
use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(
    waiting_writes_share_a_commit,
    a_failing_write_does_not_disturb_its_neighbours,
    a_panic_is_answered_and_rolled_back,
    a_write_that_leaves_a_transaction_open_fails,
    work_goes_on_after_a_conflict,
    a_write_is_done_although_its_caller_went_away,
    closing_finishes_what_is_queued,
    a_read_cannot_write,
    a_panicking_read_is_answered,
);

/// Keeps the writer thread busy until the sender is used, so that the writes after it share a batch.
fn hold(store: &Store) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), StoreError>>) {
    let (release, wait) = mpsc::channel();
    let (entered, inside) = mpsc::channel();
    let store = store.clone();
    let held = spawn(async move {
        store
            .write(move |_| {
                entered.send(()).unwrap();
                wait.recv_timeout(Duration::from_secs(20)).expect("released");
                Ok(())
            })
            .await
    });
    tokio::task::block_in_place(|| inside.recv_timeout(Duration::from_secs(20)).expect("the writer runs"));
    (release, held)
}

/// The tests' own tasks; the house rule is for the daemon.
#[allow(clippy::disallowed_methods)]
fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

async fn count(store: &Store) -> usize {
    store.read(|c| job_page(c, &JobQuery { limit: 500, ..JobQuery::default() })).await.unwrap().len()
}

async fn waiting_writes_share_a_commit(db: Database) {
    let store = db.open();
    let writers: Vec<_> = (0..32_u128)
        .map(|writer| {
            let store = store.clone();
            spawn(async move {
                for number in 0..10 {
                    let job = job(1 + writer * 10 + number);
                    store.write(move |c| job_insert(c, &job)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!(stats.writes, 320);
    assert!(stats.commits * 2 < stats.writes, "{stats:?}");
    assert_eq!(count(&store).await, 320);
}

async fn a_failing_write_does_not_disturb_its_neighbours(db: Database) {
    let store = db.open();
    let (release, held) = hold(&store);
    let writes: Vec<_> = (1..=9_u128)
        .map(|number| {
            let store = store.clone();
            spawn(async move {
                store
                    .write(move |c| {
                        job_insert(c, &job(number))?;
                        match number % 3 {
                            0 => Err(WorkError::Refused),
                            1 => raw(c, "INSERT INTO nowhere VALUES (1)"),
                            _ => Ok(()),
                        }
                    })
                    .await
            })
        })
        .collect();
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for (number, write) in (1..).zip(writes) {
        match (number % 3, write.await.unwrap()) {
            (0, Err(WorkError::Refused)) | (1, Err(WorkError::Sql(_))) | (2, Ok(())) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(count(&store).await, 3);
}

async fn a_panic_is_answered_and_rolled_back(db: Database) {
    let store = db.open();
    let (release, held) = hold(&store);
    let (one, two) = (store.clone(), store.clone());
    let panicking = spawn(async move {
        one.write(|c| {
            use diesel::Connection as _;
            job_insert(c, &job(1))?;
            c.transaction(|c| {
                raw(c, "DELETE FROM jobs")?;
                panic!("on purpose");
            })
        })
        .await
    });
    let neighbour = spawn(async move { two.write(|c| job_insert(c, &job(2))).await });
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    let answer: Result<(), WorkError> = panicking.await.unwrap();
    assert!(matches!(answer, Err(WorkError::Store(StoreError::Panicked))), "{answer:?}");
    neighbour.await.unwrap().unwrap();
    store.write(|c| job_insert(c, &job(3))).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

async fn a_write_that_leaves_a_transaction_open_fails(db: Database) {
    let store = db.open();
    let answer = store
        .write(|c| {
            job_insert(c, &job(1))?;
            <Connection as diesel::Connection>::TransactionManager::begin_transaction(c)?;
            Ok::<_, WorkError>(())
        })
        .await;
    assert!(matches!(answer, Err(WorkError::Store(StoreError::Commit { .. }))), "{answer:?}");
    store.write(|c| job_insert(c, &job(2))).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

async fn work_goes_on_after_a_conflict(db: Database) {
    let store = db.open();
    store.write(|c| runner_insert(c, &runner(1, "h"), b"k")).await.unwrap();
    let found = store
        .write(|c| match runner_insert(c, &runner(2, "h"), b"k") {
            Err(StoreError::Conflict { .. }) => {
                setting_set(c, "seen", "conflict")?;
                runner_find(c, "h")
            }
            other => panic!("{other:?}"),
        })
        .await
        .unwrap();
    assert_eq!(found, Some(runner(1, "h")));
    assert_eq!(store.read(|c| setting_find(c, "seen")).await.unwrap().as_deref(), Some("conflict"));
}

async fn a_write_is_done_although_its_caller_went_away(db: Database) {
    let store = db.open();
    let (release, held) = hold(&store);
    let gone = tokio::time::timeout(Duration::from_millis(20), store.write(|c| job_insert(c, &job(1)))).await;
    assert!(gone.is_err());
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    // Writes are done in order, so this one is after it.
    store.write(|c| job_insert(c, &job(2))).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

async fn closing_finishes_what_is_queued(db: Database) {
    let store = db.open();
    let (release, held) = hold(&store);
    let mut queued = Box::pin(store.write(|c| job_insert(c, &job(1))));
    // Polled once: it is in the queue, before the close.
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut queued).await.is_err());
    let closing = spawn(store.clone().close());
    assert!(!closing.is_finished());
    release.send(()).unwrap();
    closing.await.unwrap();
    held.await.unwrap().unwrap();
    queued.await.unwrap();
    let late = store.write(|c| job_insert(c, &job(2))).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
    assert_eq!(count(&store).await, 1);
    store.close().await;
}

async fn a_read_cannot_write(db: Database) {
    let store = db.open();
    let answer = store.read(|c| job_insert(c, &job(1))).await;
    assert!(matches!(answer, Err(StoreError::Insert { .. })), "{answer:?}");
    assert_eq!(count(&store).await, 0);
}

async fn a_panicking_read_is_answered(db: Database) {
    let store = db.open();
    for _ in 0..8 {
        let answer: Result<(), StoreError> = store.read(|_| panic!("on purpose")).await;
        assert!(matches!(answer, Err(StoreError::Panicked)), "{answer:?}");
    }
    assert_eq!(count(&store).await, 0);
}

/// SQLite ends the whole transaction by itself when the disk is full; later writes must not slip out of it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_full_disk_exactly_the_acknowledged_writes_are_there() {
    let db = Database::sqlite();
    let store = db.open();
    store.write(|c| raw(c, "PRAGMA max_page_count = 100")).await.unwrap();
    let (release, held) = hold(&store);
    let writes: Vec<_> = (1..=20_u128)
        .map(|number| {
            let store = store.clone();
            let mut job = job(number);
            if number % 4 == 0 {
                job.spec.script = "x".repeat(1 << 20);
            }
            spawn(async move { store.write(move |c| job_insert(c, &job)).await })
        })
        .collect();
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    let mut acknowledged = 0;
    for (number, write) in (1..).zip(writes) {
        let answer = write.await.unwrap();
        assert!(number % 4 != 0 || answer.is_err(), "{number}: {answer:?}");
        acknowledged += usize::from(answer.is_ok());
    }
    assert_eq!(count(&store).await, acknowledged, "what was refused is not there either");
    store.write(|c| raw(c, "PRAGMA max_page_count = 1000000")).await.unwrap();
    store.write(|c| job_insert(c, &job(100))).await.unwrap();
    assert_eq!(count(&store).await, acknowledged + 1);
}
