//! Changes in lists: pages, what is under way, what stands in the shared environments, whose job a job is.

use std::collections::BTreeMap;

use shuntyard::store::{
    ChangeQuery, GivenConfig, Store, StoreError, change_given, change_insert, change_keep_given, change_page,
    changes_delivered_last, changes_of_jobs, changes_under_way, org_insert, org_list, org_since, pipeline_ensure,
    pipeline_insert, pipeline_since, project_insert, project_since, row_job_insert, stage_phase_insert,
    stage_run_insert, stage_run_last_planned, stage_run_update, stages_taken,
};
use shuntyard_domain::change::{Change, ChangeState, Signed};
use shuntyard_domain::ids::{ChangeId, JobId, PhaseRunId};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::stage::{End, RunPlan, StageRun, Status, Turn};
use shuntyard_domain::tenancy::PipelinePath;
use uuid::Uuid;

use super::pipelines::{change, made, name, path, phase_run, run};
use super::samples::job;
use super::{Database, on_both_databases};

on_both_databases!(
    a_page_of_changes_holds_what_was_asked_for,
    closed_and_arrived_changes_are_not_under_way,
    the_last_delivery_of_each_pipeline_stands_in_the_environments,
    the_stages_that_others_are_in_and_the_last_planned_run_are_found,
    a_job_of_a_stage_knows_its_change,
    a_given_configuration_is_kept,
    tenants_are_made_once_and_where_they_lie,
);

fn id(number: u128) -> ChangeId {
    ChangeId(Uuid::from_u128(number))
}

fn signed(at_ms: i64) -> Option<Signed> {
    Some(Signed { at_ms, by: "bob".into() })
}

fn numbers(changes: &[Change]) -> Vec<u128> {
    changes.iter().map(|change| change.id.0.as_u128()).collect()
}

async fn insert(store: &Store, changes: Vec<Change>) {
    let insert = move |c: &mut shuntyard::store::Connection| {
        changes.iter().try_for_each(|change| {
            pipeline_ensure(c, &change.at, 1)?;
            change_insert(c, change)
        })
    };
    let inserted: Result<(), StoreError> = store.write(insert).await;
    inserted.unwrap();
}

fn at(org: &str, project: &str, pipeline: &str) -> PipelinePath {
    PipelinePath { org: name(org), pipeline: name(pipeline), ..path(project) }
}

async fn a_page_of_changes_holds_what_was_asked_for(db: Database) {
    let store = db.open();
    let closed = Change { state: ChangeState::Closed, ..change(4) };
    let changes = vec![
        Change { at: at("acme", "hello", "master"), ..change(1) },
        Change { at: at("acme", "shop", "master"), ..change(2) },
        Change { at: at("other", "hello", "stable"), ..change(3) },
        closed,
    ];
    insert(&store, changes).await;
    let all = || ChangeQuery { limit: 10, ..ChangeQuery::default() };
    for (query, expected) in [
        (all(), vec![4, 3, 2, 1]),
        (ChangeQuery { limit: 2, ..all() }, vec![4, 3]),
        (ChangeQuery { before: Some(id(3)), ..all() }, vec![2, 1]),
        (ChangeQuery { org: Some(name("other")), ..all() }, vec![3]),
        (ChangeQuery { project: Some(name("hello")), ..all() }, vec![4, 3, 1]),
        (ChangeQuery { pipeline: Some(name("stable")), ..all() }, vec![3]),
        (ChangeQuery { state: Some(ChangeState::Closed), ..all() }, vec![4]),
        (ChangeQuery { state: Some(ChangeState::Merged), ..all() }, vec![]),
    ] {
        let asked = query.clone();
        let found = store.read(move |c| change_page(c, &name("default"), &query)).await.unwrap();
        assert_eq!(numbers(&found), expected, "{asked:?}");
    }
    let elsewhere = store.read(move |c| change_page(c, &name("elsewhere"), &all())).await.unwrap();
    assert_eq!(elsewhere, []);
}

async fn closed_and_arrived_changes_are_not_under_way(db: Database) {
    let store = db.open();
    let closed = Change { state: ChangeState::Closed, ..change(2) };
    insert(&store, vec![change(1), closed, change(3), change(4)]).await;
    let ended = |number, of, status| StageRun {
        plan: made(),
        end: Some(End { status, at_ms: 9 }),
        ..run(number, of, Stage::Delivered)
    };
    let runs = [ended(10, 3, Status::Passed), ended(11, 4, Status::Failed)];
    let insert = move |c: &mut shuntyard::store::Connection| {
        runs.iter().try_for_each(|run| stage_run_insert(c, &path("hello"), run))
    };
    let inserted: Result<(), StoreError> = store.write(insert).await;
    inserted.unwrap();
    assert_eq!(numbers(&store.read(changes_under_way).await.unwrap()), [1, 4]);
}

async fn the_last_delivery_of_each_pipeline_stands_in_the_environments(db: Database) {
    let store = db.open();
    let delivered = |number, at, at_ms| Change {
        at,
        state: ChangeState::Merged,
        approved: signed(1),
        delivered: signed(at_ms),
        ..change(number)
    };
    let changes = vec![
        delivered(1, at("acme", "hello", "master"), 50),
        delivered(2, at("acme", "hello", "master"), 70),
        // Submitted later, delivered earlier.
        delivered(3, at("acme", "hello", "master"), 60),
        delivered(4, at("acme", "shop", "master"), 10),
        // In the same millisecond the later change counts.
        delivered(5, at("acme", "shop", "master"), 10),
        delivered(6, at("acme", "hello", "stable"), 90),
        delivered(7, at("other", "hello", "master"), 90),
        Change { at: at("acme", "lib", "master"), ..change(8) },
    ];
    insert(&store, changes).await;
    let here = at("acme", "lib", "master").enterprise;
    let elsewhere = "elsewhere".parse().unwrap();
    for (of, expected) in [(None, &[2, 5, 6, 7][..]), (Some(here), &[2, 5, 6, 7]), (Some(elsewhere), &[])] {
        let found = store.read(move |c| changes_delivered_last(c, of.as_ref())).await.unwrap();
        assert_eq!(numbers(&found), expected);
    }
}

async fn the_stages_that_others_are_in_and_the_last_planned_run_are_found(db: Database) {
    let store = db.open();
    insert(&store, vec![change(1), change(2), change(3), change(4)]).await;
    let runs = [
        run(10, 1, Stage::Acceptance),
        run(11, 2, Stage::Build),
        StageRun { plan: made(), ..run(12, 3, Stage::Verify) },
        run(13, 4, Stage::Verify),
    ];
    let write = runs.clone();
    let insert = move |c: &mut shuntyard::store::Connection| {
        write.iter().try_for_each(|run| stage_run_insert(c, &path("hello"), run))
    };
    let inserted: Result<(), StoreError> = store.write(insert).await;
    inserted.unwrap();
    let taken = |than| store.read(move |c| stages_taken(c, &path("hello"), id(than)));
    assert_eq!(taken(2).await.unwrap(), BTreeMap::from([(Stage::Acceptance, id(1))]));
    assert_eq!(taken(1).await.unwrap(), BTreeMap::new(), "a change is not in its own way");
    assert_eq!(store.read(|c| stages_taken(c, &path("shop"), id(9))).await.unwrap(), BTreeMap::new());

    let last = |stage| store.read(move |c| stage_run_last_planned(c, &path("hello"), stage));
    assert_eq!(last(Stage::Verify).await.unwrap(), Some(runs[2].clone()), "one without a plan does not count");
    assert_eq!(last(Stage::Build).await.unwrap(), None);
    let ended = StageRun {
        plan: RunPlan::Faulty("no configuration".into()),
        end: Some(End { status: Status::Failed, at_ms: 9 }),
        ..runs[0].clone()
    };
    store.write(move |c| stage_run_update(c, &ended)).await.unwrap();
    assert_eq!(taken(2).await.unwrap(), BTreeMap::new());
}

async fn a_job_of_a_stage_knows_its_change(db: Database) {
    let store = db.open();
    insert(&store, vec![change(1)]).await;
    let of = PhaseRunId(Uuid::from_u128(20));
    let insert = move |c: &mut shuntyard::store::Connection| {
        stage_run_insert(c, &path("hello"), &run(10, 1, Stage::Verify))?;
        stage_phase_insert(c, &path("hello"), Stage::Verify, &phase_run(20, Phase::Unit), false)?;
        let mut job = job(5);
        job.origin.phase_run = Some(of);
        row_job_insert(c, of, Turn { row: 0, turn: 1 }, &job)
    };
    store.write(insert).await.unwrap();
    let (mine, other) = (JobId(Uuid::from_u128(5)), JobId(Uuid::from_u128(6)));
    let found = store.read(move |c| changes_of_jobs(c, &[mine, other])).await.unwrap();
    assert_eq!(found, BTreeMap::from([(mine, (id(1), change(1).title))]));
}

async fn a_given_configuration_is_kept(db: Database) {
    let store = db.open();
    insert(&store, vec![change(1), change(2)]).await;
    let given = GivenConfig { config: "{}".into(), local_phases: Some("[local_phases]\n".into()) };
    let write = given.clone();
    store.write(move |c| change_keep_given(c, id(1), &write)).await.unwrap();
    assert_eq!(store.read(|c| change_given(c, id(1))).await.unwrap(), Some(given));
    assert_eq!(store.read(|c| change_given(c, id(2))).await.unwrap(), None);
    assert_eq!(store.read(|c| change_given(c, id(9))).await.unwrap(), None);
}

async fn tenants_are_made_once_and_where_they_lie(db: Database) {
    let store = db.open();
    let (default, acme) = (name("default"), name("acme"));
    let orphan = store.write(|c| project_insert(c, &name("default"), &name("acme"), &name("hello"), 3)).await;
    assert!(matches!(orphan, Err(StoreError::Insert { .. })), "a project without an organisation: {orphan:?}");
    let make = || store.write(|c| org_insert(c, &name("default"), &name("acme"), 3));
    make().await.unwrap();
    let again = make().await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    let insert = |c: &mut shuntyard::store::Connection| {
        project_insert(c, &name("default"), &name("acme"), &name("hello"), 4)?;
        pipeline_insert(c, &path("hello"), 5)
    };
    let inserted: Result<(), StoreError> = store.write(insert).await;
    inserted.unwrap();
    let read = move |c: &mut shuntyard::store::Connection| {
        let org = org_since(c, &default, &acme)?;
        let project = project_since(c, &default, &acme, &name("hello"))?;
        let none = project_since(c, &default, &acme, &name("shop"))?;
        Ok::<_, StoreError>((org_list(c, &default)?, org, project, none, pipeline_since(c, &path("hello"))?))
    };
    assert_eq!(store.read(read).await.unwrap(), (vec![name("acme")], Some(3), Some(4), None, Some(5)));
}
