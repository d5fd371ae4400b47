//! Idempotency-Keys: kept with what was made or not at all, one of two is refused, forgotten after 24 hours.

use std::sync::Arc;

use shuntyard::store::{
    MadeByRequest, MadeKind, REQUEST_KEYS_KEPT_MS, RequestKey, Store, StoreError, job_find, job_insert,
    request_key_find, request_keys_prune,
};
use tokio::sync::watch;

use super::samples::job;
use super::{Database, WorkError, on_both_databases};

on_both_databases!(
    a_key_is_kept_with_what_it_made_or_not_at_all,
    of_two_dispatchers_with_one_key_one_makes_it,
    a_key_is_forgotten_after_a_day,
);

fn key(caller: &str, at_ms: i64) -> Arc<RequestKey> {
    let (under_way, _) = watch::channel(());
    Arc::new(RequestKey::new(caller.into(), "k1".into(), [7; 32], at_ms, under_way))
}

/// Makes a job for a request with this key.
async fn make(store: &Store, key: &Arc<RequestKey>, number: u128) -> Result<(), StoreError> {
    let job = job(number);
    let work = store.create(MadeKind::Job, job.id, move |c| job_insert(c, &job));
    RequestKey::scope(Some(Arc::clone(key)), work).await
}

async fn found(store: &Store, caller: &'static str, now_ms: i64) -> Option<MadeByRequest> {
    let found = store.read(move |c| request_key_find(c, caller, "k1", now_ms)).await.unwrap();
    found.map(|(digest, made)| {
        assert_eq!(digest, "07".repeat(32));
        made
    })
}

async fn is_there(store: &Store, number: u128) -> bool {
    let id = job(number).id;
    store.read(move |c| job_find(c, id)).await.unwrap().is_some()
}

async fn a_key_is_kept_with_what_it_made_or_not_at_all(db: Database) {
    let store = db.open();
    let refused = store.create(MadeKind::Job, job(1).id, |_| Err::<(), _>(WorkError::Refused));
    assert!(matches!(RequestKey::scope(Some(key("ada", 5)), refused).await, Err(WorkError::Refused)));
    assert_eq!(found(&store, "ada", 5).await, None);

    make(&store, &key("ada", 5), 1).await.unwrap();
    assert_eq!(found(&store, "ada", 5).await, Some(MadeByRequest { kind: MadeKind::Job, id: job(1).id.to_string() }));
    let again = key("ada", 6);
    assert!(matches!(make(&store, &again, 2).await, Err(StoreError::Repeated { .. })));
    assert!(again.is_too_late() && !is_there(&store, 2).await);

    // Another caller's key is another one; and without a key nothing is kept.
    assert_eq!(found(&store, "bob", 6).await, None);
    make(&store, &key("bob", 6), 2).await.unwrap();
    let third = job(3);
    store.create(MadeKind::Job, third.id, move |c| job_insert(c, &third)).await.unwrap();
    assert!(is_there(&store, 3).await);
}

async fn of_two_dispatchers_with_one_key_one_makes_it(db: Database) {
    let (one, two) = (db.open(), db.open());
    let (first, second) = (key("ada", 5), key("ada", 5));
    let (a, b) = tokio::join!(make(&one, &first, 1), make(&two, &second, 2));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    assert!(is_there(&one, 1).await != is_there(&one, 2).await);
    assert!(first.is_too_late() != second.is_too_late());
}

async fn a_key_is_forgotten_after_a_day(db: Database) {
    let store = db.open();
    make(&store, &key("ada", 5), 1).await.unwrap();
    make(&store, &key("bob", 6), 2).await.unwrap();
    assert!(found(&store, "ada", 4 + REQUEST_KEYS_KEPT_MS).await.is_some());
    assert!(found(&store, "ada", 5 + REQUEST_KEYS_KEPT_MS).await.is_none(), "also before it is swept");

    // It can be used again, which is another request.
    make(&store, &key("ada", 5 + REQUEST_KEYS_KEPT_MS), 3).await.unwrap();
    assert_eq!(found(&store, "ada", 5 + REQUEST_KEYS_KEPT_MS).await.map(|made| made.id), Some(job(3).id.to_string()));
    let swept = store.write(|c| request_keys_prune(c, 6 + REQUEST_KEYS_KEPT_MS)).await.unwrap();
    assert_eq!(swept, 1, "bob's");
    assert!(found(&store, "ada", 6 + REQUEST_KEYS_KEPT_MS).await.is_some());
}
