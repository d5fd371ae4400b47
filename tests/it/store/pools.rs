//! Pools and their machines as rows.

use shuntyard::store::{
    InstanceRow, PoolRow, StoreError, instance_apply, instance_find, instance_insert, instances_delete, instances_live,
    instances_of, pool_by_id, pool_delete, pool_find, pool_insert, pool_list, pool_update,
};
use shuntyard_domain::pool::PoolSpec;
use shuntyard_domain::pool::instance::{Instance, InstanceEvent, InstanceState, LeaveReason};
use uuid::Uuid;

use super::samples::RUNNER;
use super::{Database, on_both_databases};

on_both_databases!(a_pool_is_read_as_it_was_written, a_machine_goes_its_way_and_the_oldest_ended_ones_are_forgotten);

const POOL: Uuid = Uuid::from_u128(5);

fn pool(name: &str) -> PoolRow {
    let keys = r#"{"url":"https://a.example/h","enrol_url":"https://b","max":3,"labels":["gpu"],"lifetime_s":9,
        "facts":{"platform":"ubuntu"},"scope":{"org":"acme"}}"#;
    let spec: PoolSpec = serde_json::from_str(keys).unwrap();
    PoolRow {
        id: POOL,
        name: name.parse().unwrap(),
        spec,
        sealed_secret: vec![0, 255],
        deleting: false,
        created_at_ms: 1,
        created_by: "admin".into(),
        version: 1,
    }
}

fn machine(number: u32) -> InstanceRow {
    InstanceRow {
        id: format!("gpu-000000-{number:08}"),
        pool: POOL,
        instance: Instance::new(number.into()),
        note: None,
        token_id: Uuid::from_u128(number.into()).to_string(),
        sealed_token: Some(vec![1, 2]),
        version: 1,
    }
}

async fn a_pool_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    store.write(|c| pool_insert(c, &pool("gpu"))).await.unwrap();
    let again = store.write(|c| pool_insert(c, &PoolRow { id: Uuid::from_u128(6), ..pool("gpu") })).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    assert_eq!(store.read(|c| pool_find(c, "gpu")).await.unwrap(), Some(pool("gpu")));
    assert_eq!(store.read(pool_list).await.unwrap(), [pool("gpu")]);
    let next = PoolRow { deleting: true, ..pool("gpu") };
    let stored = store.write(move |c| pool_update(c, &next)).await.unwrap();
    assert_eq!((stored.version, stored.deleting), (2, true));
    let raced = store.write(|c| pool_update(c, &pool("gpu"))).await;
    assert!(matches!(raced, Err(StoreError::Raced { .. })), "{raced:?}");
    assert_eq!(store.read(|c| pool_by_id(c, POOL)).await.unwrap(), Some(stored));
    assert!(store.write(|c| pool_delete(c, POOL)).await.unwrap());
    assert_eq!(store.read(pool_list).await.unwrap(), []);
}

async fn a_machine_goes_its_way_and_the_oldest_ended_ones_are_forgotten(db: Database) {
    let store = db.open();
    store.write(|c| instance_insert(c, &machine(1))).await.unwrap();
    assert_eq!(store.read(instances_live).await.unwrap(), [machine(1)]);
    let id = machine(1).id;
    let steps = [
        (InstanceEvent::Accepted { provider_id: Some("i-1".into()) }, InstanceState::Starting, true),
        (InstanceEvent::Enrolled { runner: RUNNER }, InstanceState::Enrolled, false),
        (InstanceEvent::Left { reason: LeaveReason::Idle }, InstanceState::Draining, false),
        (InstanceEvent::Emptied, InstanceState::Stopping, false),
        (InstanceEvent::Gone, InstanceState::Stopped, false),
    ];
    for (event, state, has_token) in steps {
        let (id, own) = (id.clone(), event.clone());
        let row = store.write(move |c| instance_apply(c, &id, &own, Some("why"), 50)).await.unwrap().unwrap();
        assert_eq!((row.instance.state, row.sealed_token.is_some()), (state, has_token), "{event:?}");
        let key = row.id.clone();
        assert_eq!(store.read(move |c| instance_find(c, &key)).await.unwrap(), Some(row));
    }
    let ended = id.clone();
    let nothing = store.write(move |c| instance_apply(c, &ended, &InstanceEvent::Gone, None, 60)).await.unwrap();
    assert_eq!(nothing, None, "an end is changed");
    assert_eq!(store.read(instances_live).await.unwrap(), []);
    for number in 2..=103 {
        let state = InstanceState::Failed;
        let reason = Some(LeaveReason::StartLimit);
        let row = machine(number);
        let row = InstanceRow { instance: Instance { state, reason, ..row.instance }, ..row };
        store.write(move |c| instance_insert(c, &row)).await.unwrap();
    }
    let kept = store.read(|c| instances_of(c, POOL)).await.unwrap();
    assert_eq!((kept.len(), kept[0].id.as_str()), (100, machine(103).id.as_str()));
    assert!(kept.iter().all(|row| row.id != id), "the oldest is kept");
    store.write(|c| instances_delete(c, POOL)).await.unwrap();
    assert_eq!(store.read(|c| instances_of(c, POOL)).await.unwrap(), []);
}
