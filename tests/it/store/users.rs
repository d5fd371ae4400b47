//! Users, what they were given, and who comes with a token.

use shuntyard::store::{
    Connection, StoreError, TokenHolder, TokenOwner, TokenRow, UserRow, grant_delete, grant_insert, grant_list,
    grants_of, is_there_an_admin, token_find, token_holder, token_insert, token_list, tokens_prune,
    tokens_revoke_logins, user_delete, user_find, user_insert, user_list, user_password, user_set_disabled,
    user_set_password,
};
use shuntyard_domain::access::{Grant, Grants, Place, Role};
use shuntyard_domain::tenancy::Name;

use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(
    a_user_is_read_as_it_was_written,
    a_password_is_told_of_enabled_users_only,
    roles_are_given_once_and_taken_away,
    a_disabled_admin_is_none,
    a_token_may_what_its_owner_may_now,
    with_a_user_go_their_roles_and_tokens,
    logins_are_revoked_and_old_tokens_forgotten,
    a_row_that_contradicts_itself_is_refused,
);

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn user(text: &str) -> UserRow {
    let password_set_at_ms = Some(5);
    UserRow { name: name(text), password_set_at_ms, created_at_ms: 5, created_by: "admin".into(), disabled_at_ms: None }
}

fn grants(given: &[(Role, Place)]) -> Grants {
    Grants(given.iter().map(|(role, place)| Grant { role: *role, place: place.clone() }).collect())
}

fn project(org: &str, project: &str) -> Place {
    Place::Project(name(org), name(project))
}

fn token(id: &str, byte: u8, owner: TokenOwner) -> TokenRow {
    TokenRow {
        id: id.into(),
        name: "laptop".into(),
        owner,
        created_by: Some("ann".into()),
        prefix: "shyu_abcd".into(),
        sha256: vec![byte; 32],
        created_at_ms: i64::from(byte),
        last_used_at_ms: None,
        expires_at_ms: Some(100),
        revoked_at_ms: None,
    }
}

fn ann(c: &mut Connection) -> Result<(), StoreError> {
    user_insert(c, &user("ann"), Some(HASH))
}

async fn a_user_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    assert_eq!(store.read(|c| user_find(c, "ann")).await.unwrap(), None);
    let bob = UserRow { password_set_at_ms: None, disabled_at_ms: Some(9), ..user("bob") };
    let written = bob.clone();
    store.write(move |c| user_insert(c, &written, None)).await.unwrap();
    store.write(ann).await.unwrap();
    let again = store.write(ann).await;
    assert!(matches!(again, Err(StoreError::Conflict { what: "user", .. })), "{again:?}");
    assert_eq!(store.read(user_list).await.unwrap(), [user("ann"), bob]);
    assert_eq!(store.read(|c| user_find(c, "ANN")).await.unwrap(), None, "names are compared exactly");
}

async fn a_password_is_told_of_enabled_users_only(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    let told = || async { store.read(|c| user_password(c, "ann")).await.unwrap() };
    assert_eq!(told().await.as_deref(), Some(HASH));
    let other = HASH.replace("aGFzaA", "b3RoZXI");
    let kept = other.clone();
    store.write(move |c| user_set_password(c, "ann", &kept, 7)).await.unwrap();
    assert_eq!(told().await, Some(other));
    for at_ms in [Some(20), Some(30)] {
        store.write(move |c| user_set_disabled(c, "ann", at_ms)).await.unwrap();
        assert_eq!(told().await, None);
    }
    assert_eq!(store.read(|c| user_find(c, "ann")).await.unwrap().unwrap().disabled_at_ms, Some(20));
    store.write(|c| user_set_disabled(c, "ann", None)).await.unwrap();
    assert!(told().await.is_some());
    for unknown in ["bob", "", "' OR 1=1 --"] {
        assert_eq!(store.read(move |c| user_password(c, unknown)).await.unwrap(), None);
        let refused = store.write(move |c| user_set_password(c, unknown, HASH, 7)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { what: "user", .. })), "{refused:?}");
        let refused = store.write(move |c| user_set_disabled(c, unknown, Some(7))).await;
        assert!(matches!(refused, Err(StoreError::NotFound { what: "user", .. })), "{refused:?}");
    }
}

async fn roles_are_given_once_and_taken_away(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    let all = [
        (Role::Observer, Place::Enterprise),
        (Role::Committer, Place::Org(name("shop"))),
        (Role::Committer, project("shop", "web")),
        (Role::Shipper, project("shop", "web")),
    ];
    for grant in [grants(&all), grants(&all)].into_iter().flat_map(|grants| grants.0) {
        store.write(move |c| grant_insert(c, &name("ann"), &grant, "admin", 6)).await.unwrap();
    }
    assert_eq!(store.read(|c| grants_of(c, "ann")).await.unwrap(), grants(&all));
    assert_eq!(store.read(|c| grants_of(c, "bob")).await.unwrap(), Grants::default());
    let listed = store.read(grant_list).await.unwrap();
    assert_eq!(listed.into_iter().next().unwrap().0, "ann");
    let web = Grant { role: Role::Committer, place: project("shop", "web") };
    for had in [true, false] {
        let web = web.clone();
        assert_eq!(store.write(move |c| grant_delete(c, &name("ann"), &web)).await.unwrap(), had);
    }
    assert_eq!(store.read(|c| grants_of(c, "ann")).await.unwrap().0.len(), 3);
    let nobodys = store.write(move |c| grant_insert(c, &name("bob"), &web, "admin", 6)).await;
    assert!(nobodys.is_err(), "there is no such user");
}

async fn a_disabled_admin_is_none(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    let admin = |place| Grant { role: Role::Admin, place };
    for (grant, is_one) in [(admin(Place::Org(name("shop"))), false), (admin(Place::Enterprise), true)] {
        store.write(move |c| grant_insert(c, &name("ann"), &grant, "admin", 6)).await.unwrap();
        assert_eq!(store.read(is_there_an_admin).await.unwrap(), is_one);
    }
    store.write(|c| user_set_disabled(c, "ann", Some(7))).await.unwrap();
    assert!(!store.read(is_there_an_admin).await.unwrap());
}

async fn a_token_may_what_its_owner_may_now(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    let own = grants(&[(Role::Shipper, project("shop", "web")), (Role::Observer, Place::Enterprise)]);
    let rows = [
        token("t1", 1, TokenOwner::AdminFile),
        token("t2", 2, TokenOwner::Login(name("ann"))),
        token("t3", 3, TokenOwner::Personal(name("ann"))),
        token("t4", 4, TokenOwner::Machine(own.clone())),
    ];
    for row in rows.clone() {
        store.write(move |c| token_insert(c, &row)).await.unwrap();
    }
    assert_eq!(store.read(token_list).await.unwrap(), rows);
    assert_eq!(store.read(|c| token_find(c, "t4")).await.unwrap().as_ref(), Some(&rows[3]));
    let holder = |byte: u8| store.read(move |c| token_holder(c, &[byte; 32]));
    let grant = Grant { role: Role::Reviewer, place: Place::Enterprise };
    let given = grant.clone();
    store.write(move |c| grant_insert(c, &name("ann"), &given, "admin", 6)).await.unwrap();
    let anns = Grants(vec![grant]);
    for (row, grants) in rows.clone().into_iter().zip([Grants::of_admin(), anns.clone(), anns, own]) {
        let found = holder(row.sha256[0]).await.unwrap();
        assert_eq!(found, Some(TokenHolder { token: row, grants, disabled: false }));
    }
    store.write(|c| user_set_disabled(c, "ann", Some(7))).await.unwrap();
    for (byte, disabled) in [(1, false), (2, true), (3, true), (4, false)] {
        let found = holder(byte).await.unwrap().unwrap();
        assert_eq!((found.disabled, found.grants == Grants::default()), (disabled, disabled), "{byte}");
    }
    assert_eq!(holder(5).await.unwrap(), None);
}

async fn with_a_user_go_their_roles_and_tokens(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    let grant = Grant { role: Role::Admin, place: Place::Enterprise };
    store.write(move |c| grant_insert(c, &name("ann"), &grant, "admin", 6)).await.unwrap();
    let machine = token("t2", 2, TokenOwner::Machine(grants(&[(Role::Admin, Place::Enterprise)])));
    for row in [token("t1", 1, TokenOwner::Personal(name("ann"))), machine.clone()] {
        store.write(move |c| token_insert(c, &row)).await.unwrap();
    }
    let nobodys = token("t3", 3, TokenOwner::Login(name("bob")));
    assert!(store.write(move |c| token_insert(c, &nobodys)).await.is_err(), "there is no such user");
    assert!(store.write(|c| user_delete(c, "ann")).await.unwrap());
    assert!(!store.write(|c| user_delete(c, "ann")).await.unwrap());
    store.write(ann).await.unwrap();
    assert_eq!(store.read(|c| grants_of(c, "ann")).await.unwrap(), Grants::default());
    assert_eq!(store.read(token_list).await.unwrap(), [machine]);
}

async fn logins_are_revoked_and_old_tokens_forgotten(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    store.write(|c| user_insert(c, &user("bob"), Some(HASH))).await.unwrap();
    let login = |id, byte, user| token(id, byte, TokenOwner::Login(name(user)));
    let personal = token("t3", 3, TokenOwner::Personal(name("ann")));
    let file = TokenRow { revoked_at_ms: Some(1), ..token("t5", 5, TokenOwner::AdminFile) };
    for row in [login("t1", 1, "ann"), login("t2", 2, "ann"), personal, login("t4", 4, "bob"), file] {
        store.write(move |c| token_insert(c, &row)).await.unwrap();
    }
    store.write(|c| tokens_revoke_logins(c, "ann", "t2", 50)).await.unwrap();
    let revoked = store.read(token_list).await.unwrap().into_iter().map(|row| (row.id, row.revoked_at_ms));
    let revoked: Vec<_> = revoked.filter_map(|(id, at_ms)| Some((id, at_ms?))).collect();
    assert_eq!(revoked, [("t1".to_owned(), 50), ("t5".to_owned(), 1)]);
    let ids = |rows: Vec<TokenRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    for (before_ms, left) in
        [(50, &["t1", "t2", "t3", "t4", "t5"][..]), (51, &["t2", "t3", "t4", "t5"]), (101, &["t5"])]
    {
        store.write(move |c| tokens_prune(c, before_ms)).await.unwrap();
        assert_eq!(ids(store.read(token_list).await.unwrap()), left);
    }
}

async fn a_row_that_contradicts_itself_is_refused(db: Database) {
    let store = db.open();
    store.write(ann).await.unwrap();
    for sql in [
        "INSERT INTO users VALUES ('', NULL, NULL, 1, 'x', NULL)",
        "INSERT INTO users VALUES ('bob', 'plain', 1, 1, 'x', NULL)",
        "INSERT INTO users VALUES ('bob', NULL, 1, 1, 'x', NULL)",
        "INSERT INTO grants VALUES ('ann', 'root', '', '', 1, 'x')",
        "INSERT INTO grants VALUES ('ann', 'admin', '', 'web', 1, 'x')",
        "INSERT INTO grants VALUES ('bob', 'admin', '', '', 1, 'x')",
        "INSERT INTO tokens (id, name, prefix, sha256, created_at_ms, kind) VALUES ('t', 'n', 'p', \
         '0000000000000000000000000000000000000000000000000000000000000000', 1, 'root')",
    ] {
        let refused = store.write(move |c| raw(c, sql)).await;
        assert!(matches!(refused, Err(WorkError::Sql(_))), "{sql}");
    }
}
