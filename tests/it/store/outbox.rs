//! The outbox in the store: written with the event or not at all, claimed by one, bounded.

use shuntyard::store::{
    Store, Tried, WebhookRow, deliveries_next, deliveries_prune, delivery_again, delivery_claim, delivery_list,
    delivery_tried, job_insert, webhook_backlog, webhook_delete, webhook_find, webhook_insert,
};
use shuntyard_domain::webhook::WebhookEvent;
use uuid::Uuid;

use super::samples::job;
use super::{Database, WorkError, on_both_databases};

on_both_databases!(
    an_event_that_is_undone_leaves_no_message,
    a_webhook_hears_everything_after_it_was_made_and_nothing_before,
    a_message_is_claimed_by_one_and_again_when_that_one_is_lost,
    a_dead_receiver_does_not_fill_the_table,
);

fn hook(name: &str) -> WebhookRow {
    WebhookRow {
        id: Uuid::now_v7().to_string(),
        name: name.into(),
        url: "https://example.com/".into(),
        events: vec![WebhookEvent::JobQueued],
        org: None,
        project: None,
        enabled: true,
        sealed_secret: vec![1, 2, 3],
        created_at_ms: 5,
        created_by: "ada".into(),
        dropped: 0,
    }
}

async fn with_hook(db: &Database) -> (Store, String) {
    let (store, hook) = (db.open(), hook("a"));
    let id = hook.id.clone();
    store.write(move |c| webhook_insert(c, &hook)).await.unwrap();
    (store, id)
}

async fn submit(store: &Store) {
    let job = job(Uuid::now_v7().as_u128());
    store.write(move |c| job_insert(c, &job)).await.unwrap();
}

async fn pending(store: &Store, id: &str) -> i64 {
    let id = id.to_owned();
    store.read(move |c| webhook_backlog(c, &id)).await.unwrap().pending
}

async fn an_event_that_is_undone_leaves_no_message(db: Database) {
    let (store, id) = with_hook(&db).await;
    let undone = store.write(|c| {
        job_insert(c, &job(9))?;
        Err::<(), _>(WorkError::Refused)
    });
    assert!(undone.await.is_err());
    assert_eq!(pending(&store, &id).await, 0);
    submit(&store).await;
    assert_eq!(pending(&store, &id).await, 1);
    tokio::time::timeout(std::time::Duration::from_secs(30), store.something_to_send()).await.expect("a wake");
}

async fn a_webhook_hears_everything_after_it_was_made_and_nothing_before(db: Database) {
    let store = db.open();
    submit(&store).await;
    let first = hook("first");
    let id = first.id.clone();
    let undone = first.clone();
    let refused = store.write(move |c| {
        webhook_insert(c, &undone)?;
        Err::<(), _>(WorkError::Refused)
    });
    assert!(refused.await.is_err());
    // What is known of webhooks must not be that of the write that was undone.
    submit(&store).await;
    store.write(move |c| webhook_insert(c, &first)).await.unwrap();
    submit(&store).await;
    assert_eq!(pending(&store, &id).await, 1);
    // Many at once: each is told exactly once, however they share commits.
    let many = (0..40).map(|_| submit(&store));
    futures_util::future::join_all(many).await;
    assert_eq!(pending(&store, &id).await, 41);
    let key = id.clone();
    assert!(store.write(move |c| webhook_delete(c, &key)).await.unwrap());
    submit(&store).await;
    assert_eq!(pending(&store, &id).await, 0);
}

async fn a_message_is_claimed_by_one_and_again_when_that_one_is_lost(db: Database) {
    let (store, id) = with_hook(&db).await;
    submit(&store).await;
    let at = |now_ms: i64, lost_ms: i64| {
        let (store, id) = (store.clone(), id.clone());
        async move { store.write(move |c| delivery_claim(c, &id, now_ms, lost_ms)).await.unwrap() }
    };
    let far = 1_900_000_000_000;
    let first = at(far, far + 15).await.expect("it is due");
    assert_eq!(first.attempts, 1);
    assert_eq!(at(far, far + 15).await, None, "nobody else sends it meanwhile");
    assert_eq!(store.read(deliveries_next).await.unwrap(), [(id.clone(), far + 15)]);
    let second = at(far + 15, far + 30).await.expect("it counts as lost");
    assert_eq!((second.id.as_str(), second.attempts), (first.id.as_str(), 2));
    // The first was only slow: its end does not disturb the second.
    let note = |claimed, tried| {
        let store = store.clone();
        async move { store.write(move |c| delivery_tried(c, &claimed, far + 16, &tried)).await.unwrap() }
    };
    note(first, Tried::Failed { status: None, error: "late".into(), next_try_at_ms: None }).await;
    assert_eq!(pending(&store, &id).await, 1);
    note(second.clone(), Tried::Delivered { status: 200 }).await;
    assert_eq!(pending(&store, &id).await, 0);
    let (hook, delivery) = (id.clone(), second.id.clone());
    let again =
        store.write(move |c| delivery_again(c, &hook, &delivery, far + 20)).await.unwrap().expect("it is there");
    assert_eq!((again.state.as_str(), again.attempts, again.last_status), ("pending", 0, Some(200)));
    let other = store.write(move |c| delivery_again(c, &Uuid::now_v7().to_string(), &second.id, far)).await.unwrap();
    assert_eq!(other, None, "another webhook does not have it");
}

async fn a_dead_receiver_does_not_fill_the_table(db: Database) {
    let (store, id) = with_hook(&db).await;
    for _ in 0..7 {
        submit(&store).await;
    }
    assert_eq!(store.write(|c| deliveries_prune(c, 0, 5)).await.unwrap(), 2);
    assert_eq!(store.write(|c| deliveries_prune(c, 0, 5)).await.unwrap(), 0);
    let key = id.clone();
    let (hook, listed) = store
        .read(move |c| Ok::<_, WorkError>((webhook_find(c, &key)?.unwrap(), delivery_list(c, &key, None, 500)?)))
        .await
        .unwrap();
    assert_eq!(hook.dropped, 2);
    let states: Vec<&str> = listed.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["pending", "pending", "pending", "pending", "pending", "failed", "failed"], "the oldest go");
    assert!(listed[6].last_error.as_deref().unwrap().contains("more than 5"));
    // Ended ones go by age.
    store.write(|c| deliveries_prune(c, 1_900_000_000_000, 5)).await.unwrap();
    let left = store.read(move |c| delivery_list(c, &id, None, 500)).await.unwrap();
    assert_eq!(left.len(), 5);
}
