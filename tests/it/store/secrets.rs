//! Sealed secrets by scope and name.

use shuntyard::store::{
    SecretKey, SecretRow, secret_count, secret_delete, secret_find, secret_first, secret_list, secret_of_a_runner,
    secret_set,
};

use super::{Database, on_both_databases};

on_both_databases!(
    a_secret_is_kept_over_what_was_there,
    a_secret_belongs_to_one_scope,
    the_first_of_several_keys_is_found
);

fn key(org: &str, project: &str, name: &str) -> SecretKey {
    let runner = String::new();
    SecretKey { enterprise: "default".into(), org: org.into(), project: project.into(), runner, name: name.into() }
}

async fn a_secret_is_kept_over_what_was_there(db: Database) {
    let store = db.open();
    let token = || key("default", "hello", "GIT_TOKEN");
    assert_eq!(store.read(move |c| secret_find(c, &token())).await.unwrap(), None);
    for (sealed, by, now_ms) in [(&[0, 255, 10][..], "ada", 5), (&[7], "bob", 9)] {
        store.write(move |c| secret_set(c, &token(), sealed, by, now_ms)).await.unwrap();
        assert_eq!(store.read(move |c| secret_find(c, &token())).await.unwrap().as_deref(), Some(sealed));
    }
    let listed = store.read(move |c| secret_list(c, &token())).await.unwrap();
    let row = SecretRow {
        name: "GIT_TOKEN".into(),
        created_at_ms: 5,
        created_by: "ada".into(),
        updated_at_ms: 9,
        updated_by: "bob".into(),
    };
    assert_eq!(listed, [row]);
    assert_eq!(store.read(secret_count).await.unwrap(), 1);
    assert!(store.write(move |c| secret_delete(c, &token())).await.unwrap());
    assert!(!store.write(move |c| secret_delete(c, &token())).await.unwrap());
    assert_eq!(store.read(secret_count).await.unwrap(), 0);
}

async fn a_secret_belongs_to_one_scope(db: Database) {
    let store = db.open();
    let scopes = [("default", "hello"), ("default", "world"), ("acme", "hello"), ("default", ""), ("", "")];
    for (n, (org, project)) in scopes.into_iter().enumerate() {
        let sealed = [u8::try_from(n).unwrap()];
        store.write(move |c| secret_set(c, &key(org, project, "A"), &sealed, "admin", 1)).await.unwrap();
    }
    for (n, (org, project)) in scopes.into_iter().enumerate() {
        let found = store.read(move |c| secret_find(c, &key(org, project, "A"))).await.unwrap();
        assert_eq!(found, Some(vec![u8::try_from(n).unwrap()]), "{org}/{project}");
        assert_eq!(store.read(move |c| secret_list(c, &key(org, project, ""))).await.unwrap().len(), 1);
    }
    let refused = store.write(|c| secret_set(c, &key("", "hello", "A"), &[1], "admin", 1)).await;
    assert!(refused.is_err(), "a project without an organisation");
}

async fn the_first_of_several_keys_is_found(db: Database) {
    let store = db.open();
    let of_runner = || SecretKey { runner: "r1".into(), ..key("", "", "A") };
    let keys = [of_runner(), key("default", "hello", "A"), key("default", "", "A"), key("", "", "A")];
    // From the widest on, each hides the one before.
    for (n, key) in keys.clone().into_iter().enumerate().rev() {
        let (sealed, kept) = (vec![u8::try_from(n).unwrap()], key.clone());
        assert!(!store.read(|c| secret_of_a_runner(c, "default", "A")).await.unwrap());
        store.write(move |c| secret_set(c, &kept, &sealed, "admin", 1)).await.unwrap();
        let looked = keys.clone();
        let found = store.read(move |c| secret_first(c, &looked)).await.unwrap();
        assert_eq!(found, Some((key, vec![u8::try_from(n).unwrap()])));
    }
    assert!(store.read(|c| secret_of_a_runner(c, "default", "A")).await.unwrap());
    assert!(!store.read(|c| secret_of_a_runner(c, "default", "B")).await.unwrap());
}
