//! The runners of the inventory and their sealed keys.

use shuntyard::store::{
    StoreError, runner_by_id, runner_delete, runner_find, runner_insert, runner_list, runner_replace_key,
    runner_sealed_key, runner_update,
};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Health, Runner, RunnerState, Scope};
use uuid::Uuid;

use super::samples::runner;
use super::{Database, on_both_databases};

on_both_databases!(
    a_runner_is_read_as_it_was_written,
    a_hostname_is_taken_once,
    an_update_of_an_old_version_is_raced,
    a_runner_cannot_take_anothers_hostname,
    a_sealed_key_is_kept_and_replaced,
    a_deleted_runner_is_gone_and_its_name_is_free,
    runners_are_listed_by_hostname_in_byte_order,
);

const NOBODY: RunnerId = RunnerId(Uuid::from_u128(99));

async fn a_runner_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    let plain = Runner {
        scope: Scope::Enterprise,
        health: Health::Untested,
        last_seen_at_ms: None,
        slots: u32::MAX,
        state_note: None,
        one_off: None,
        pool: None,
        ..runner(2, "plain")
    };
    for sample in [runner(1, "build-1"), plain] {
        let expected = Some(sample.clone());
        store.write(move |c| runner_insert(c, &sample, b"k")).await.unwrap();
        let by_name = expected.clone().unwrap();
        let id = by_name.id;
        assert_eq!(store.read(move |c| runner_find(c, &by_name.hostname)).await.unwrap(), expected);
        assert_eq!(store.read(move |c| runner_by_id(c, id)).await.unwrap(), expected);
    }
    assert_eq!(store.read(|c| runner_find(c, "Build-1")).await.unwrap(), None);
    assert_eq!(store.read(|c| runner_by_id(c, NOBODY)).await.unwrap(), None);
}

async fn a_hostname_is_taken_once(db: Database) {
    let store = db.open();
    store.write(|c| runner_insert(c, &runner(1, "h"), b"k")).await.unwrap();
    let taken = store.write(|c| runner_insert(c, &runner(2, "h"), b"k")).await.unwrap_err();
    assert_eq!(taken.to_string(), "there is already a runner `h`");
    assert!(matches!(taken, StoreError::Conflict { .. }));
    assert_eq!(store.read(runner_list).await.unwrap(), [runner(1, "h")]);
}

async fn an_update_of_an_old_version_is_raced(db: Database) {
    let store = db.open();
    store.write(|c| runner_insert(c, &runner(1, "h"), b"k")).await.unwrap();
    let draining = Runner { state: RunnerState::Draining, last_seen_at_ms: None, ..runner(1, "h") };
    let written = draining.clone();
    let updated = store.write(move |c| runner_update(c, &written)).await.unwrap();
    assert_eq!(updated, Runner { version: 1, ..draining });
    let raced = store.write(|c| runner_update(c, &runner(1, "h"))).await;
    assert!(matches!(raced, Err(StoreError::Raced { expected: 0, .. })), "{raced:?}");
    assert_eq!(store.read(|c| runner_find(c, "h")).await.unwrap(), Some(updated));
    let missing = store.write(|c| runner_update(c, &runner(9, "x"))).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    assert_eq!(store.read(|c| runner_sealed_key(c, runner(1, "h").id)).await.unwrap().as_deref(), Some(&b"k"[..]));
}

async fn a_runner_cannot_take_anothers_hostname(db: Database) {
    let store = db.open();
    store.write(|c| runner_insert(c, &runner(1, "a"), b"k")).await.unwrap();
    store.write(|c| runner_insert(c, &runner(2, "b"), b"k")).await.unwrap();
    let taken = store.write(|c| runner_update(c, &runner(2, "a"))).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
}

async fn a_sealed_key_is_kept_and_replaced(db: Database) {
    let store = db.open();
    let id = runner(1, "h").id;
    let every_byte: Vec<u8> = (0..=255).collect();
    let sealed = every_byte.clone();
    store.write(move |c| runner_insert(c, &runner(1, "h"), &sealed)).await.unwrap();
    assert_eq!(store.read(move |c| runner_sealed_key(c, id)).await.unwrap(), Some(every_byte));
    store.write(move |c| runner_replace_key(c, id, b"new")).await.unwrap();
    assert_eq!(store.read(move |c| runner_sealed_key(c, id)).await.unwrap(), Some(b"new".to_vec()));
    assert_eq!(store.read(|c| runner_sealed_key(c, NOBODY)).await.unwrap(), None);
    let missing = store.write(|c| runner_replace_key(c, NOBODY, b"new")).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn a_deleted_runner_is_gone_and_its_name_is_free(db: Database) {
    let store = db.open();
    let id = runner(1, "h").id;
    store.write(|c| runner_insert(c, &runner(1, "h"), b"k")).await.unwrap();
    assert!(store.write(move |c| runner_delete(c, id)).await.unwrap());
    assert!(!store.write(move |c| runner_delete(c, id)).await.unwrap());
    assert_eq!(store.read(move |c| runner_sealed_key(c, id)).await.unwrap(), None);
    store.write(|c| runner_insert(c, &runner(2, "h"), b"k")).await.unwrap();
}

async fn runners_are_listed_by_hostname_in_byte_order(db: Database) {
    let store = db.open();
    let names = ["b", "a-2", "A", "a.1", "a_1", "a"];
    store
        .write(move |c| (1..).zip(names).try_for_each(|(number, name)| runner_insert(c, &runner(number, name), b"k")))
        .await
        .unwrap();
    let listed: Vec<String> =
        store.read(runner_list).await.unwrap().into_iter().map(|runner| runner.hostname).collect();
    assert_eq!(listed, ["A", "a", "a-2", "a.1", "a_1", "b"]);
}
