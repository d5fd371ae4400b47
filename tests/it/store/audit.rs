//! The audit log: a row in the act's own transaction, and a chain that shows what was done to it afterwards.

use serde_json::{Value, json};
use shuntyard::acting::Acting;
use shuntyard::store::{
    AuditQuery, AuditRow, Changed, Store, StoreError, audit_check, audit_note, audit_page, org_insert, runner_delete,
    runner_insert, runner_update,
};
use shuntyard_domain::runner::Runner;
use shuntyard_domain::tenancy::Name;

use super::samples::runner;
use super::{Database, on_both_databases, raw};

on_both_databases!(
    an_act_is_noted_with_what_it_changed,
    what_the_dispatcher_does_by_itself_is_not_noted,
    an_act_that_failed_leaves_no_row,
    a_row_that_was_changed_or_removed_shows,
    rows_are_found_by_who_what_and_when,
);

fn alice(at_ms: i64) -> Acting {
    Acting::new("alice".into(), Some("t1".into()), Some("10.0.0.7".into()), "r1".into(), at_ms)
}

async fn rows(store: &Store) -> Vec<AuditRow> {
    let query = AuditQuery { limit: 500, ..AuditQuery::default() };
    store.read(move |c| audit_page(c, &query)).await.unwrap()
}

/// Notes `count` acts on `subject`.
async fn acts(store: &Store, by: &str, action: &'static str, subject: &'static str, count: i64) {
    for n in 0..count {
        let acting = Acting::new(by.into(), None, None, format!("r{n}"), n);
        let note = store.write(move |c| {
            audit_note(c, action, || Changed::new(subject, Some(json!({"n": n})), Some(json!({"n": n + 1, "é": "\""}))))
        });
        let noted: Result<(), StoreError> = acting.scope(note).await;
        noted.unwrap();
    }
}

async fn tamper(store: &Store, sql: String) {
    store.write(move |c| raw(c, &sql)).await.unwrap();
}

async fn an_act_is_noted_with_what_it_changed(db: Database) {
    let store = db.open();
    let known = runner(1, "build-1");
    let added = known.clone();
    alice(5).scope(store.write(move |c| runner_insert(c, &added, b"sealed"))).await.unwrap();
    let drained = Runner { slots: known.slots + 3, ..known.clone() };
    alice(6).scope(store.write(move |c| runner_update(c, &drained))).await.unwrap();
    alice(7).scope(store.write(move |c| runner_delete(c, known.id))).await.unwrap();
    let found = rows(&store).await;
    let said: Vec<(i64, &str, &str)> = found.iter().map(|r| (r.seq, r.action.as_str(), r.subject.as_str())).collect();
    let build = "runner build-1";
    assert_eq!(said, [(3, "runner.delete", build), (2, "runner.change", build), (1, "runner.add", build)]);
    let row = &found[1];
    assert_eq!(
        (row.actor.as_str(), row.token_id.as_deref(), row.address.as_deref()),
        ("alice", Some("t1"), Some("10.0.0.7"))
    );
    let before: Value = serde_json::from_str(row.before.as_deref().unwrap()).unwrap();
    assert_eq!(before, json!({"slots": known_slots()}), "only what changed");
    assert!(found[2].before.is_none() && found[0].after.is_none());
    assert!(!format!("{found:?}").contains("sealed"), "no key");
    assert_eq!(store.read(audit_check).await.unwrap().rows, 3);
}

fn known_slots() -> u32 {
    runner(1, "build-1").slots
}

async fn what_the_dispatcher_does_by_itself_is_not_noted(db: Database) {
    let store = db.open();
    let known = runner(1, "build-1");
    // The next write of the same thread is nobody's.
    acts(&store, "alice", "a.b", "x", 1).await;
    store.write(move |c| runner_insert(c, &known, b"sealed")).await.unwrap();
    assert_eq!(rows(&store).await.len(), 1);
}

async fn an_act_that_failed_leaves_no_row(db: Database) {
    let store = db.open();
    let (enterprise, org): (Name, Name) = ("default".parse().unwrap(), "shop".parse().unwrap());
    for n in 0..2 {
        let (enterprise, org) = (enterprise.clone(), org.clone());
        let made: Result<(), StoreError> =
            alice(1).scope(store.write(move |c| org_insert(c, &enterprise, &org, 1))).await;
        assert_eq!(made.is_ok(), n == 0);
    }
    let undone = alice(1).scope(store.write(|c| {
        audit_note(c, "a.b", || Changed::new("x", None, None))?;
        Err::<(), StoreError>(StoreError::Closed)
    }));
    undone.await.unwrap_err();
    assert_eq!(rows(&store).await.len(), 1);
    acts(&store, "alice", "a.b", "x", 1).await;
    assert_eq!(store.read(audit_check).await.unwrap().fault, None);
}

async fn a_row_that_was_changed_or_removed_shows(db: Database) {
    let store = db.open();
    acts(&store, "alice", "a.b", "x", 5).await;
    let whole = store.read(audit_check).await.unwrap();
    assert_eq!((whole.rows, whole.fault), (5, None));
    assert_eq!(whole.head, rows(&store).await[0].hash);
    for column in ["actor", "token_id", "address", "request_id", "action", "subject", "before", "after"] {
        let kept: AuditRow = rows(&store).await[2].clone();
        tamper(&store, format!("UPDATE audit SET {column} = 'other' WHERE seq = 3")).await;
        let found = store.read(audit_check).await.unwrap();
        assert_eq!((found.rows, found.fault.map(|(seq, _)| seq)), (2, Some(3)), "{column}");
        let value = |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |v| format!("'{v}'"));
        let was = match column {
            "actor" => value(&Some(kept.actor)),
            "token_id" => value(&kept.token_id),
            "address" => value(&kept.address),
            "request_id" => value(&Some(kept.request_id)),
            "action" => value(&Some(kept.action)),
            "subject" => value(&Some(kept.subject)),
            "before" => value(&kept.before),
            _ => value(&kept.after),
        };
        tamper(&store, format!("UPDATE audit SET {column} = {was} WHERE seq = 3")).await;
        assert_eq!(store.read(audit_check).await.unwrap().fault, None, "{column}");
    }
    tamper(&store, "UPDATE audit SET at_ms = 99 WHERE seq = 2".to_owned()).await;
    assert_eq!(store.read(audit_check).await.unwrap().fault.map(|(seq, _)| seq), Some(2));
    tamper(&store, "UPDATE audit SET at_ms = 1 WHERE seq = 2".to_owned()).await;
    tamper(&store, "DELETE FROM audit WHERE seq = 4".to_owned()).await;
    assert_eq!(store.read(audit_check).await.unwrap().fault.map(|(seq, _)| seq), Some(4));
    // The end that was cut off leaves a whole chain; who kept the head knows better.
    tamper(&store, "DELETE FROM audit WHERE seq = 5".to_owned()).await;
    let cut = store.read(audit_check).await.unwrap();
    assert_eq!((cut.rows, &cut.fault), (3, &None));
    assert_ne!(cut.head, whole.head);
}

async fn rows_are_found_by_who_what_and_when(db: Database) {
    let store = db.open();
    acts(&store, "alice", "runner.change", "runner a", 3).await;
    acts(&store, "bob", "runner.delete", "runner b", 2).await;
    acts(&store, "bob", "job.cancel", "job 7", 1).await;
    for (query, expected) in [
        (AuditQuery { actor: Some("bob".into()), ..AuditQuery::default() }, vec![6, 5, 4]),
        (AuditQuery { action: Some("runner".into()), ..AuditQuery::default() }, vec![5, 4, 3, 2, 1]),
        (AuditQuery { action: Some("runner.delete".into()), ..AuditQuery::default() }, vec![5, 4]),
        (AuditQuery { action: Some("r%".into()), ..AuditQuery::default() }, vec![]),
        (AuditQuery { subject: Some("runner a".into()), since_ms: Some(1), ..AuditQuery::default() }, vec![3, 2]),
        (AuditQuery { before: Some(3), ..AuditQuery::default() }, vec![2, 1]),
    ] {
        let asked = AuditQuery { limit: 500, ..query };
        let shown = format!("{asked:?}");
        let found = store.read(move |c| audit_page(c, &asked)).await.unwrap();
        assert_eq!(found.iter().map(|row| row.seq).collect::<Vec<_>>(), expected, "{shown}");
    }
}
