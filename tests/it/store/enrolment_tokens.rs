//! Enrolment tokens: found by digest only, used once, revoked only while they are unused.

use diesel::result::{DatabaseErrorKind, Error as SqlError};
use shuntyard::store::{
    EnrolmentTokenRow, StoreError, TokenUse, enrolment_token_by_id, enrolment_token_find, enrolment_token_insert,
    enrolment_token_list, enrolment_token_prune, enrolment_token_revoke, enrolment_token_use,
};
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

use super::samples::RUNNER;
use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(
    an_enrolment_token_is_read_as_it_was_written,
    an_enrolment_token_is_used_once_and_only_while_it_is_good,
    an_enrolment_token_that_was_used_is_not_revoked,
    enrolment_tokens_are_forgotten_when_they_are_long_past_use,
    a_forged_enrolment_token_is_refused,
);

fn token(number: u8) -> EnrolmentTokenRow {
    EnrolmentTokenRow {
        id: Uuid::from_u128(number.into()).to_string(),
        name: "rack 7".into(),
        prefix: "shye_abcd".into(),
        sha256: vec![number; 32],
        created_at_ms: number.into(),
        created_by: "admin".into(),
        expires_at_ms: 100,
        cidr: Some("10.0.0.0/8".into()),
        hostname: None,
        labels: ["gpu".to_owned(), "zone=eu".to_owned()].into(),
        scope: Scope::Org("acme".into()),
        slots: 3,
        jump: Some("bastion-1".parse().unwrap()),
        one_off: true,
        capabilities: ["docker".to_owned()].into(),
        pool_instance: Some("cloud-1".into()),
        dial_out: number.is_multiple_of(2),
        used: None,
        revoked_at_ms: None,
    }
}

fn use_at(at_ms: i64) -> TokenUse {
    TokenUse { at_ms, runner: RUNNER, hostname: "h1".into() }
}

async fn an_enrolment_token_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    let plain = EnrolmentTokenRow {
        cidr: None,
        hostname: Some("h9".into()),
        scope: Scope::Enterprise,
        labels: [].into(),
        one_off: false,
        capabilities: [].into(),
        pool_instance: None,
        ..token(2)
    };
    for row in [token(1), plain.clone()] {
        store.write(move |c| enrolment_token_insert(c, &row)).await.unwrap();
    }
    assert_eq!(store.read(|c| enrolment_token_find(c, &[1; 32])).await.unwrap(), Some(token(1)));
    assert_eq!(store.read(|c| enrolment_token_find(c, &[9; 32])).await.unwrap(), None);
    assert_eq!(store.read(|c| enrolment_token_by_id(c, &token(2).id)).await.unwrap(), Some(plain.clone()));
    assert_eq!(store.read(enrolment_token_list).await.unwrap(), [plain, token(1)]);
    for taken in [EnrolmentTokenRow { sha256: vec![1; 32], ..token(3) }, token(1)] {
        let again = store.write(move |c| enrolment_token_insert(c, &taken)).await;
        assert!(matches!(again, Err(StoreError::Conflict { what: "enrolment token", .. })), "{again:?}");
    }
}

async fn an_enrolment_token_is_used_once_and_only_while_it_is_good(db: Database) {
    let store = db.open();
    for number in [1, 2, 3] {
        store.write(move |c| enrolment_token_insert(c, &token(number))).await.unwrap();
    }
    let used = |number: u8, at_ms| {
        let store = store.clone();
        async move { store.write(move |c| enrolment_token_use(c, &token(number).id, &use_at(at_ms))).await.unwrap() }
    };
    assert!(!used(1, 100).await, "it expires at 100");
    assert!(used(1, 99).await);
    assert!(!used(1, 99).await, "it was used");
    assert!(store.write(|c| enrolment_token_revoke(c, &token(2).id, 50)).await.unwrap());
    assert!(!used(2, 60).await, "it was revoked");
    assert!(!used(9, 60).await, "it is not there");
    let row = store.read(|c| enrolment_token_by_id(c, &token(1).id)).await.unwrap().unwrap();
    assert_eq!(row, EnrolmentTokenRow { used: Some(use_at(99)), ..token(1) });
}

async fn an_enrolment_token_that_was_used_is_not_revoked(db: Database) {
    let store = db.open();
    store.write(|c| enrolment_token_insert(c, &token(1))).await.unwrap();
    let revoke = |at_ms| {
        let store = store.clone();
        async move { store.write(move |c| enrolment_token_revoke(c, &token(1).id, at_ms)).await.unwrap() }
    };
    assert!(revoke(50).await && revoke(60).await);
    let row = store.read(|c| enrolment_token_by_id(c, &token(1).id)).await.unwrap().unwrap();
    assert_eq!(row.revoked_at_ms, Some(50), "the first date stays");
    assert!(!store.write(|c| enrolment_token_revoke(c, &token(9).id, 50)).await.unwrap());
    store.write(|c| enrolment_token_insert(c, &token(2))).await.unwrap();
    assert!(store.write(|c| enrolment_token_use(c, &token(2).id, &use_at(9))).await.unwrap());
    assert!(!store.write(|c| enrolment_token_revoke(c, &token(2).id, 50)).await.unwrap());
}

async fn enrolment_tokens_are_forgotten_when_they_are_long_past_use(db: Database) {
    let store = db.open();
    let good = EnrolmentTokenRow { expires_at_ms: 200, ..token(3) };
    for row in [token(1), token(2), good.clone()] {
        store.write(move |c| enrolment_token_insert(c, &row)).await.unwrap();
    }
    assert!(store.write(|c| enrolment_token_use(c, &token(1).id, &use_at(50))).await.unwrap());
    assert_eq!(store.write(|c| enrolment_token_prune(c, 100)).await.unwrap(), 0);
    assert_eq!(store.write(|c| enrolment_token_prune(c, 200)).await.unwrap(), 2);
    assert_eq!(store.read(enrolment_token_list).await.unwrap(), [good]);
}

async fn a_forged_enrolment_token_is_refused(db: Database) {
    let store = db.open();
    store.write(|c| enrolment_token_insert(c, &token(1))).await.unwrap();
    let id = RUNNER;
    for set in [
        "prefix = 'shy_abcde'".to_owned(),
        "sha256 = 'ff'".into(),
        "name = ''".into(),
        "slots = 0".into(),
        "expires_at_ms = created_at_ms".into(),
        "used_at_ms = 5".into(),
        format!("runner_id = '{id}'"),
        format!("used_at_ms = 100, runner_id = '{id}', runner_hostname = 'h1'"),
        format!("used_at_ms = 5, runner_id = '{id}', runner_hostname = 'h1', revoked_at_ms = 5"),
        format!("used_at_ms = 5, runner_id = '{id}', runner_hostname = 'h1', hostname = 'h2'"),
    ] {
        let sql = format!("UPDATE enrolment_tokens SET {set}");
        let answer: Result<(), WorkError> = store.write(move |c| raw(c, &sql)).await;
        let check =
            matches!(answer, Err(WorkError::Sql(SqlError::DatabaseError(DatabaseErrorKind::CheckViolation, _))));
        assert!(check, "{set}: {answer:?}");
    }
}
