//! The jump hosts and their sealed keys.

use shuntyard::store::{
    StoreError, jump_host_delete, jump_host_find, jump_host_insert, jump_host_list, jump_host_replace_key,
    jump_host_update,
};
use shuntyard_domain::ids::JumpHostId;
use shuntyard_domain::jump_host::JumpHost;
use shuntyard_domain::runner::{Endpoint, StateNote};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::via::Via;
use uuid::Uuid;

use super::{Database, on_both_databases};

on_both_databases!(
    a_jump_host_is_read_as_it_was_written_changed_and_gone,
    a_name_is_taken_once_and_an_old_version_is_raced,
);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn sample(number: u128, called: &str) -> JumpHost {
    JumpHost {
        id: JumpHostId(Uuid::from_u128(number)),
        name: name(called),
        endpoint: Endpoint {
            address: "192.0.2.9".into(),
            port: 2222,
            user: "forward".into(),
            host_keys: vec!["ssh-ed25519 AAAA".into()],
            via: Via::Jump(name("outer")),
        },
        openssh_public_key: "ssh-ed25519 AAAB shuntyard_jump@b1\n".into(),
        quarantine: Some(StateNote { at_ms: 5, by: "the dispatcher".into(), reason: Some("another key".into()) }),
        created_at_ms: 1,
        updated_at_ms: 2,
        version: 1,
    }
}

async fn a_jump_host_is_read_as_it_was_written_changed_and_gone(db: Database) {
    let store = db.open();
    let host = sample(1, "b1");
    let written = host.clone();
    store.write(move |c| jump_host_insert(c, &written, b"k1")).await.unwrap();
    assert_eq!(store.read(|c| jump_host_find(c, &name("b1"))).await.unwrap(), Some(host.clone()));
    assert_eq!(store.read(jump_host_list).await.unwrap(), [(host.clone(), b"k1".to_vec())]);
    let changed = JumpHost { quarantine: None, updated_at_ms: 9, ..host };
    let changed = store.write(move |c| jump_host_update(c, &changed)).await.unwrap();
    store.write(|c| jump_host_replace_key(c, &name("b1"), b"k2")).await.unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!(store.read(jump_host_list).await.unwrap(), [(changed, b"k2".to_vec())]);
    assert!(store.write(|c| jump_host_delete(c, &name("b1"))).await.unwrap());
    assert!(!store.write(|c| jump_host_delete(c, &name("b1"))).await.unwrap());
    assert_eq!(store.read(|c| jump_host_find(c, &name("b1"))).await.unwrap(), None);
    let missing = store.write(|c| jump_host_replace_key(c, &name("b1"), b"k")).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn a_name_is_taken_once_and_an_old_version_is_raced(db: Database) {
    let store = db.open();
    store.write(|c| jump_host_insert(c, &sample(1, "b1"), b"k")).await.unwrap();
    let taken = store.write(|c| jump_host_insert(c, &sample(2, "b1"), b"k")).await.unwrap_err();
    assert_eq!(taken.to_string(), "there is already a jump host `b1`");
    store.write(|c| jump_host_update(c, &sample(1, "b1"))).await.unwrap();
    let raced = store.write(|c| jump_host_update(c, &sample(1, "b1"))).await;
    assert!(matches!(raced, Err(StoreError::Raced { expected: 1, .. })), "{raced:?}");
}
