//! Tokens, settings and phase runs.

use shuntyard::store::{
    Expected, HostKeyAccepted, PhaseRunRow, ProjectLimitRow, RunnerChanged, RunnerDeleted, RunnerEvent, RunnerEventRow,
    StoreError, TokenOwner, TokenRow, ValueChange, job_apply, job_insert, job_receipt_find, job_receipt_insert,
    phase_run_find, phase_run_insert, project_limit_find, project_limit_list, project_limit_set, runner_delete,
    runner_event_insert, runner_events, runner_insert, runner_snapshot, setting_find, setting_or_insert, setting_set,
    token_find_by_sha256, token_insert, token_list, token_revoke, token_used, workspaces_in_use,
};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::{AttemptId, PhaseRunId};
use shuntyard_domain::job::{Job, JobEvent, JobSpec};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::receipt::StopReceipt;
use shuntyard_domain::runner::{Runner, RunnerSnapshot};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::control::Receipt;
use uuid::Uuid;

use super::samples::{job, runner};
use super::{Database, on_both_databases, raw};

on_both_databases!(
    a_token_is_found_by_its_digest_only,
    a_revoked_token_keeps_its_first_date,
    a_token_is_inserted_once,
    a_setting_is_kept_over_what_was_there,
    the_first_value_of_a_setting_wins,
    a_phase_run_is_read_as_it_was_written,
    a_receipt_is_written_once_and_goes_with_its_job,
    the_events_of_a_runner_stay_when_it_is_deleted,
    what_a_deleted_runner_was_is_kept_for_its_jobs,
    workspaces_of_unfinished_jobs_are_in_use,
    a_projects_limit_is_set_over_what_was_there_and_taken_away,
);

fn token(id: &str, byte: u8) -> TokenRow {
    TokenRow {
        id: id.into(),
        name: "admin".into(),
        owner: TokenOwner::AdminFile,
        created_by: None,
        prefix: "shy_ab".into(),
        sha256: vec![byte; 32],
        created_at_ms: i64::from(byte),
        last_used_at_ms: None,
        expires_at_ms: Some(9),
        revoked_at_ms: None,
    }
}

async fn a_token_is_found_by_its_digest_only(db: Database) {
    let store = db.open();
    store.write(|c| token_insert(c, &token("t2", 0xfe))).await.unwrap();
    store.write(|c| token_insert(c, &token("t1", 0x01))).await.unwrap();
    let found = store.read(|c| token_find_by_sha256(c, &[0xfe; 32])).await.unwrap();
    assert_eq!(found, Some(token("t2", 0xfe)));
    for unknown in [vec![0x02; 32], vec![], vec![0xfe; 31], b"' OR 1=1 --".to_vec()] {
        assert_eq!(store.read(move |c| token_find_by_sha256(c, &unknown)).await.unwrap(), None);
    }
    assert_eq!(store.read(token_list).await.unwrap(), [token("t1", 0x01), token("t2", 0xfe)]);
    for (now_ms, before_ms, noted) in [(77, 17, 77), (80, 20, 77), (200, 140, 200)] {
        store.write(move |c| token_used(c, "t1", now_ms, before_ms)).await.unwrap();
        let used = store.read(|c| token_find_by_sha256(c, &[0x01; 32])).await.unwrap().unwrap();
        assert_eq!(used.last_used_at_ms, Some(noted), "at {now_ms}");
    }
}

async fn a_revoked_token_keeps_its_first_date(db: Database) {
    let store = db.open();
    store.write(|c| token_insert(c, &token("t", 1))).await.unwrap();
    for now_ms in [50, 60] {
        store.write(move |c| token_revoke(c, "t", now_ms)).await.unwrap();
    }
    let revoked = store.read(|c| token_find_by_sha256(c, &[1; 32])).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at_ms, Some(50));
    let unknown = store.write(|c| token_revoke(c, "nobody", 50)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

async fn a_token_is_inserted_once(db: Database) {
    let store = db.open();
    store.write(|c| token_insert(c, &token("t", 1))).await.unwrap();
    for taken in [token("t", 2), token("u", 1)] {
        let again = store.write(move |c| token_insert(c, &taken)).await;
        assert!(matches!(again, Err(StoreError::Conflict { what: "token", .. })), "{again:?}");
    }
    let short = TokenRow { sha256: vec![1; 5], ..token("v", 3) };
    assert!(store.write(move |c| token_insert(c, &short)).await.is_err());
}

async fn a_setting_is_kept_over_what_was_there(db: Database) {
    let store = db.open();
    assert_eq!(store.read(|c| setting_find(c, "id")).await.unwrap(), None);
    for value in ["one", "two"] {
        store.write(move |c| setting_set(c, "id", value)).await.unwrap();
        assert_eq!(store.read(|c| setting_find(c, "id")).await.unwrap().as_deref(), Some(value));
    }
}

async fn the_first_value_of_a_setting_wins(db: Database) {
    // As two dispatchers do at their first start.
    let (one, other) = (db.open(), db.open());
    let (a, b) = tokio::join!(
        one.write(|c| setting_or_insert(c, "id", "one")),
        other.write(|c| setting_or_insert(c, "id", "other")),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a, b);
    assert_eq!(one.read(|c| setting_find(c, "id")).await.unwrap(), Some(a));
}

async fn a_phase_run_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    let run = PhaseRunRow {
        id: PhaseRunId(Uuid::from_u128(7)),
        enterprise: "default".into(),
        org: "acme".into(),
        project: "hello".into(),
        phase: Phase::Functional,
        stage: Some(Stage::Rehearsal),
        config_digest: "0".repeat(64),
        config_text: "{\"version\": \"2\"}\n".into(),
        created_at_ms: 5,
        skipped: true,
    };
    let written = run.clone();
    store.write(move |c| phase_run_insert(c, &written)).await.unwrap();
    assert_eq!(store.read(|c| phase_run_find(c, PhaseRunId(Uuid::from_u128(7)))).await.unwrap(), Some(run.clone()));
    assert_eq!(store.read(|c| phase_run_find(c, PhaseRunId(Uuid::from_u128(8)))).await.unwrap(), None);
    let again = store.write(move |c| phase_run_insert(c, &run)).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
}

async fn a_receipt_is_written_once_and_goes_with_its_job(db: Database) {
    let store = db.open();
    let id = AttemptId { job: job(1).id, attempt: 2 };
    let mut receipt = StopReceipt::default();
    receipt.add(Receipt::Before { pids: vec![7, 8] });
    receipt.add(Receipt::Sent { signal: "TERM".into(), at_s: 1_700_000_000, pids: vec![7] });
    receipt.add(Receipt::Left { pids: vec![] });
    let written = receipt.clone();
    let orphan = store.write(move |c| job_receipt_insert(c, id, &written)).await;
    assert!(orphan.is_err(), "there is no such job");
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let written = receipt.clone();
    store.write(move |c| job_receipt_insert(c, id, &written)).await.unwrap();
    let again = store.write(|c| job_receipt_insert(c, AttemptId { job: job(1).id, attempt: 3 }, &receipt_of_nothing()));
    assert!(matches!(again.await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.read(move |c| job_receipt_find(c, id.job)).await.unwrap(), Some(receipt));
    store.write(|c| raw(c, "DELETE FROM jobs")).await.unwrap();
    assert_eq!(store.read(move |c| job_receipt_find(c, id.job)).await.unwrap(), None);
}

fn receipt_of_nothing() -> StopReceipt {
    StopReceipt::default()
}

async fn the_events_of_a_runner_stay_when_it_is_deleted(db: Database) {
    let store = db.open();
    let event = |after: &str| {
        let (by, before, after) = ("admin".into(), vec!["SHA256:a".into()], vec![after.into()]);
        RunnerEvent::HostKeyAccepted(HostKeyAccepted { by, before, after })
    };
    store.write(|c| runner_insert(c, &runner(1, "h1"), b"sealed")).await.unwrap();
    for (version, after) in [(2, "SHA256:b"), (3, "SHA256:c")] {
        let (changed, event) = (Runner { version, ..runner(1, "h1") }, event(after));
        store.write(move |c| runner_event_insert(c, &changed, version * 10, &event)).await.unwrap();
    }
    let (again, other) = (Runner { version: 3, ..runner(1, "h1") }, event("SHA256:d"));
    let taken = store.write(move |c| runner_event_insert(c, &again, 40, &other)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    store.write(|c| runner_delete(c, runner(1, "h1").id)).await.unwrap();
    let row = |at_ms, after| RunnerEventRow { at_ms, event: event(after) };
    let found = store.read(|c| runner_events(c, "h1")).await.unwrap();
    assert_eq!(found, [row(20, "SHA256:b"), row(30, "SHA256:c")]);
    assert_eq!(store.read(|c| runner_events(c, "h2")).await.unwrap(), []);
}

async fn what_a_deleted_runner_was_is_kept_for_its_jobs(db: Database) {
    let store = db.open();
    let changes = [("slots".to_owned(), ValueChange { before: 1.into(), after: 4.into() })].into();
    let changed = RunnerEvent::Changed(RunnerChanged { by: "admin".into(), reason: None, changes });
    let snapshot: RunnerSnapshot = (&runner(1, "h1")).into();
    let deleted = RunnerEvent::Deleted(RunnerDeleted {
        by: "admin".into(),
        reason: Some("old".into()),
        runner: Box::new(snapshot.clone()),
    });
    for (version, event) in [(1, changed.clone()), (2, deleted.clone())] {
        let at = Runner { version, ..runner(1, "h1") };
        store.write(move |c| runner_event_insert(c, &at, version * 10, &event)).await.unwrap();
    }
    let found = store.read(|c| runner_events(c, "h1")).await.unwrap();
    let row = |at_ms, event| RunnerEventRow { at_ms, event };
    assert_eq!(found, [row(10, changed), row(20, deleted)]);
    let kept = store.read(|c| runner_snapshot(c, runner(1, "h1").id)).await.unwrap();
    assert_eq!(kept, Some((20, snapshot)));
    assert_eq!(store.read(|c| runner_snapshot(c, runner(2, "h2").id)).await.unwrap(), None);
}

async fn workspaces_of_unfinished_jobs_are_in_use(db: Database) {
    let store = db.open();
    let tree = |n: u8| Digest::of_sha256([n; 32]);
    for (number, workspace) in [(1, None), (2, Some(tree(2))), (3, Some(tree(3)))] {
        // A script that looks like one names none.
        let spec = JobSpec { workspace, ..JobSpec::shell(r#"echo '"workspace":"x"'"#) };
        store.write(move |c| job_insert(c, &Job { spec, ..job(number) })).await.unwrap();
    }
    let cancel = JobEvent::CancelRequested { by: "admin".into(), reason: StopReason::User };
    store.write(move |c| job_apply(c, job(3).id, Expected::Anything, &cancel, 1)).await.unwrap();
    assert_eq!(store.read(workspaces_in_use).await.unwrap(), [tree(2)]);
}

async fn a_projects_limit_is_set_over_what_was_there_and_taken_away(db: Database) {
    let store = db.open();
    let name = |text: &str| text.parse::<Name>().unwrap();
    for (project, running) in [("web", Some(1)), ("api", Some(0)), ("web", Some(3)), ("none", None)] {
        let (own, project) = (Name::of_default(), name(project));
        store.write(move |c| project_limit_set(c, (&own, &own, &project), running, 5)).await.unwrap();
    }
    let row = |project: &str, running| ProjectLimitRow { org: "default".into(), project: project.into(), running };
    assert_eq!(store.read(project_limit_list).await.unwrap(), [row("api", 0), row("web", 3)]);
    let own = Name::of_default();
    store.write(move |c| project_limit_set(c, (&own, &own, &name("web")), None, 6)).await.unwrap();
    let own = Name::of_default();
    let found = store.read(move |c| project_limit_find(c, &own, &own, &name("web"))).await.unwrap();
    assert_eq!(found, None);
    let own = Name::of_default();
    assert_eq!(store.read(move |c| project_limit_find(c, &own, &own, &name("api"))).await.unwrap(), Some(0));
}
