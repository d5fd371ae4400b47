//! Changes, stage runs and their phase runs: read as they were written, and refused where the stages' rules say so.

use std::collections::BTreeMap;

use shuntyard::store::{
    ChangeQuery, Connection, Store, StoreError, change_find, change_insert, change_page, change_update, job_find,
    org_list, phase_run_find, pipeline_ensure, pipeline_list, project_list, row_job_insert, row_jobs_of,
    stage_phase_end, stage_phase_insert, stage_phases, stage_run_config, stage_run_insert, stage_run_keep_config,
    stage_run_update, stage_runs_of, stage_runs_open,
};
use shuntyard_domain::change::{Change, ChangeState, Signed, Source};
use shuntyard_domain::ids::{ChangeId, JobId, PhaseRunId, StageRunId};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::plan::{Planned, stage_plan};
use shuntyard_domain::project_config::parse;
use shuntyard_domain::stage::{End, JobStanding, PhaseRun, RowJob, RunPlan, StageRun, Status, Turn};
use shuntyard_domain::tenancy::{Name, PipelinePath};
use uuid::Uuid;

use super::samples::job;
use super::{Database, on_both_databases, raw};

on_both_databases!(
    tenancy_is_made_once_and_listed_by_name,
    a_change_is_read_as_it_was_written_and_raced_for,
    a_stage_run_is_read_in_every_form,
    one_run_of_a_change_and_one_change_in_a_shared_stage_at_a_time,
    a_phase_run_of_a_stage_is_unique_and_ends_once,
    a_row_has_one_job_a_turn,
    forged_rows_of_pipelines_are_refused,
);

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn path(project: &str) -> PipelinePath {
    PipelinePath { enterprise: name("default"), org: name("acme"), project: name(project), pipeline: name("master") }
}

fn signed(by: &str) -> Option<Signed> {
    Some(Signed { at_ms: 1_700_000_000_005, by: by.into() })
}

pub fn change(number: u128) -> Change {
    Change {
        id: ChangeId(Uuid::from_u128(number)),
        at: path("hello"),
        title: "Ends the greeting – ö".into(),
        description: "because\nof 'it'".into(),
        state: ChangeState::Open,
        source: Source::Git { url: "https://git.example.com/a.git".into(), reference: "main".into() },
        submitted: Signed { at_ms: 1_700_000_000_000, by: "ada".into() },
        approved: None,
        delivered: None,
        version: 0,
    }
}

fn of_project(project: &str, before: Option<ChangeId>, limit: u32) -> ChangeQuery {
    ChangeQuery { project: Some(name(project)), before, limit, ..ChangeQuery::default() }
}

pub fn run(number: u128, of: u128, stage: Stage) -> StageRun {
    StageRun {
        id: StageRunId(Uuid::from_u128(number)),
        change: ChangeId(Uuid::from_u128(of)),
        stage,
        number: 1,
        triggered_by: None,
        repeats: None,
        plan: RunPlan::Unread,
        cancel: None,
        created_at_ms: 7,
        end: None,
        version: 0,
    }
}

pub fn made() -> RunPlan {
    let config = parse(include_str!("../../../fixtures/configs/good/every-key-of-ours.json")).unwrap();
    let (at, id) = (path("hello"), ChangeId(Uuid::from_u128(1)));
    let of = Planned {
        at: &at,
        change: id,
        source: &Source::None,
        config: &config,
        settings: None,
        local: None,
        template: None,
        output_cap_bytes: 1 << 20,
    };
    RunPlan::Made(stage_plan(Stage::Verify, of, &[]))
}

async fn with_changes(store: &Store, numbers: std::ops::RangeInclusive<u128>) {
    let insert = move |c: &mut Connection| {
        pipeline_ensure(c, &path("hello"), 1)?;
        numbers.into_iter().try_for_each(|number| change_insert(c, &change(number)))
    };
    store.write(insert).await.unwrap();
}

async fn tenancy_is_made_once_and_listed_by_name(db: Database) {
    let store = db.open();
    for project in ["shop", "hello", "shop"] {
        store.write(move |c| pipeline_ensure(c, &path(project), 1)).await.unwrap();
    }
    let found = store
        .read(|c| {
            let (enterprise, org) = (name("default"), name("acme"));
            let projects = project_list(c, &enterprise, &org)?;
            let pipelines = pipeline_list(c, &enterprise, &org, &name("shop"))?;
            Ok::<_, StoreError>((org_list(c, &enterprise)?, projects, pipelines, org_list(c, &name("other"))?))
        })
        .await
        .unwrap();
    assert_eq!(found, (vec![name("acme")], vec![name("hello"), name("shop")], vec![name("master")], vec![]));
}

async fn a_change_is_read_as_it_was_written_and_raced_for(db: Database) {
    let store = db.open();
    let orphan = store.write(|c| change_insert(c, &change(1))).await;
    assert!(orphan.is_err(), "a change without a pipeline: {orphan:?}");
    with_changes(&store, 1..=5).await;
    let find = |number| store.read(move |c| change_find(c, ChangeId(Uuid::from_u128(number))));
    assert_eq!(find(1).await.unwrap(), Some(change(1)));
    assert_eq!(find(9).await.unwrap(), None);
    let again = store.write(|c| change_insert(c, &change(1))).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");

    let approved = Change { state: ChangeState::Merged, approved: signed("bob"), ..change(1) };
    let write = approved.clone();
    let written = store.write(move |c| change_update(c, &write)).await.unwrap();
    assert_eq!(written, Change { version: 1, ..approved.clone() });
    assert_eq!(find(1).await.unwrap(), Some(written));
    let raced = store.write(move |c| change_update(c, &approved)).await;
    assert!(matches!(raced, Err(StoreError::Raced { expected: 0, .. })), "{raced:?}");

    let page = |before: Option<u128>, limit| {
        let before = before.map(|number| ChangeId(Uuid::from_u128(number)));
        store.read(move |c| change_page(c, &name("default"), &of_project("hello", before, limit)))
    };
    let ids = |page: Vec<Change>| page.iter().map(|change| change.id.0.as_u128()).collect::<Vec<_>>();
    assert_eq!(ids(page(None, 3).await.unwrap()), [5, 4, 3]);
    assert_eq!(ids(page(Some(3), 3).await.unwrap()), [2, 1]);
    assert_eq!(store.read(|c| change_page(c, &name("default"), &of_project("shop", None, 3))).await.unwrap(), []);
}

async fn a_stage_run_is_read_in_every_form(db: Database) {
    let store = db.open();
    with_changes(&store, 1..=1).await;
    let end = |status| Some(End { status, at_ms: 9 });
    let first = run(10, 1, Stage::Verify);
    let forms = [
        first.clone(),
        StageRun { plan: made(), ..first.clone() },
        StageRun { plan: made(), cancel: signed("bob"), ..first.clone() },
        StageRun { plan: made(), cancel: signed("bob"), end: end(Status::Failed), ..first.clone() },
    ];
    store.write(move |c| stage_run_insert(c, &path("hello"), &first)).await.unwrap();
    let of_change = ChangeId(Uuid::from_u128(1));
    for (version, form) in (0..).zip(forms) {
        let form = StageRun { version, ..form };
        assert_eq!(store.read(stage_runs_open).await.unwrap().len(), 1);
        let write = form.clone();
        let written = store.write(move |c| stage_run_update(c, &write)).await.unwrap();
        assert_eq!(written, StageRun { version: version + 1, ..form.clone() });
        assert_eq!(store.read(move |c| stage_runs_of(c, of_change)).await.unwrap(), [written]);
        let raced = store.write(move |c| stage_run_update(c, &form)).await;
        assert!(matches!(raced, Err(StoreError::Raced { .. })), "{raced:?}");
    }
    assert_eq!(store.read(stage_runs_open).await.unwrap(), []);
    let repeated = StageRun {
        number: 2,
        triggered_by: Some("bob".into()),
        repeats: Some(StageRunId(Uuid::from_u128(10))),
        plan: RunPlan::Faulty("1:1: $: no text".into()),
        end: end(Status::Failed),
        ..run(11, 1, Stage::Verify)
    };
    let (write, id) = (repeated.clone(), repeated.id);
    store.write(move |c| stage_run_insert(c, &path("hello"), &write)).await.unwrap();
    assert_eq!(store.read(move |c| stage_runs_of(c, of_change)).await.unwrap()[1], repeated);
    assert_eq!(store.read(move |c| stage_run_config(c, id)).await.unwrap(), None);
    store.write(move |c| stage_run_keep_config(c, id, "{}")).await.unwrap();
    assert_eq!(store.read(move |c| stage_run_config(c, id)).await.unwrap().as_deref(), Some("{}"));
}

async fn one_run_of_a_change_and_one_change_in_a_shared_stage_at_a_time(db: Database) {
    let store = db.open();
    with_changes(&store, 1..=3).await;
    let insert = |run: StageRun| store.write(move |c| stage_run_insert(c, &path("hello"), &run));
    insert(run(10, 1, Stage::Build)).await.unwrap();
    insert(run(11, 2, Stage::Build)).await.expect("build is not shared");
    for (why, taken) in [
        ("a second open run of the change", StageRun { number: 2, ..run(12, 1, Stage::Build) }),
        ("another stage while one runs", run(13, 1, Stage::Acceptance)),
    ] {
        let answer = insert(taken).await;
        assert!(matches!(answer, Err(StoreError::Conflict { .. })), "{why}: {answer:?}");
    }
    let ended = |number: u128| {
        let sql = format!(
            "UPDATE stage_runs SET finished_at_ms = 9, status = 'failed' WHERE id = '{}'",
            Uuid::from_u128(number)
        );
        store.write(move |c| raw(c, &sql))
    };
    ended(10).await.unwrap();
    ended(11).await.unwrap();
    let answer = insert(run(14, 1, Stage::Build)).await;
    assert!(matches!(answer, Err(StoreError::Conflict { .. })), "a number is used twice: {answer:?}");
    insert(run(15, 1, Stage::Union)).await.unwrap();
    let answer = insert(run(16, 2, Stage::Union)).await;
    assert!(matches!(answer, Err(StoreError::Conflict { .. })), "two changes in union: {answer:?}");
    insert(run(17, 2, Stage::Rehearsal)).await.expect("another stage");
    ended(15).await.unwrap();
    insert(run(18, 3, Stage::Union)).await.expect("union is free again");
}

pub fn phase_run(number: u128, phase: Phase) -> PhaseRun {
    PhaseRun {
        id: PhaseRunId(Uuid::from_u128(number)),
        stage_run: StageRunId(Uuid::from_u128(10)),
        project: name("hello"),
        phase,
        carried: BTreeMap::from([(0, JobId(Uuid::from_u128(5))), (12, JobId(Uuid::from_u128(6)))]),
        created_at_ms: 8,
        end: None,
    }
}

async fn with_a_phase(store: &Store) {
    with_changes(store, 1..=1).await;
    let insert = |c: &mut Connection| {
        stage_run_insert(c, &path("hello"), &run(10, 1, Stage::Verify))?;
        stage_phase_insert(c, &path("hello"), Stage::Verify, &phase_run(20, Phase::Unit), false)
    };
    store.write(insert).await.unwrap();
}

async fn a_phase_run_of_a_stage_is_unique_and_ends_once(db: Database) {
    let store = db.open();
    with_a_phase(&store).await;
    let of = StageRunId(Uuid::from_u128(10));
    let insert = |run: PhaseRun| {
        store.write(move |c| stage_phase_insert(c, &path("hello"), Stage::Verify, &run, run.phase == Phase::Lint))
    };
    let taken = insert(phase_run(21, Phase::Unit)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    insert(PhaseRun { project: name("shop"), ..phase_run(22, Phase::Unit) }).await.expect("another project");
    insert(PhaseRun { carried: BTreeMap::new(), ..phase_run(23, Phase::Lint) }).await.expect("another phase");
    let found = store.read(move |c| stage_phases(c, of)).await.unwrap();
    assert_eq!((found.len(), &found[0], found[2].carried.len()), (3, &phase_run(20, Phase::Unit), 0));

    let end = |status| {
        let end = End { status, at_ms: 9 };
        store.write(move |c| stage_phase_end(c, PhaseRunId(Uuid::from_u128(20)), end))
    };
    assert!(end(Status::Passed).await.unwrap());
    assert!(!end(Status::Failed).await.unwrap());
    let found = store.read(move |c| stage_phases(c, of)).await.unwrap();
    assert_eq!(found[0].end, Some(End { status: Status::Passed, at_ms: 9 }));
    let lint = store.read(|c| phase_run_find(c, PhaseRunId(Uuid::from_u128(23)))).await.unwrap().unwrap();
    assert_eq!((lint.stage, lint.skipped, lint.config_text.as_str()), (Some(Stage::Verify), true, ""));
}

async fn a_row_has_one_job_a_turn(db: Database) {
    let store = db.open();
    with_a_phase(&store).await;
    let run = PhaseRunId(Uuid::from_u128(20));
    let insert = |number, row, turn| {
        let mut job = job(number);
        (job.origin.phase_run, job.origin.row) = (Some(run), row);
        store.write(move |c| row_job_insert(c, run, Turn { row, turn }, &job))
    };
    insert(1, 0, 1).await.unwrap();
    insert(2, 1, 1).await.unwrap();
    insert(3, 0, 2).await.unwrap();
    let twice = insert(4, 0, 2).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
    let refused = store.read(|c| job_find(c, JobId(Uuid::from_u128(4)))).await.unwrap();
    assert_eq!(refused, None, "the job of a turn that was taken");
    let row = |number| RowJob { id: JobId(Uuid::from_u128(number)), standing: JobStanding::Waiting, is_marked: false };
    let expected = BTreeMap::from([(0, vec![row(1), row(3)]), (1, vec![row(2)])]);
    assert_eq!(store.read(move |c| row_jobs_of(c, run)).await.unwrap(), expected);
}

async fn forged_rows_of_pipelines_are_refused(db: Database) {
    let store = db.open();
    with_a_phase(&store).await;
    for sql in [
        "UPDATE changes SET state = 'merged'",
        "UPDATE changes SET approved_at_ms = 1, approved_by = 'bob'",
        "UPDATE changes SET approved_at_ms = 1, state = 'merged'",
        "UPDATE changes SET delivered_at_ms = 1, delivered_by = 'bob'",
        "UPDATE changes SET state = 'banana'",
        "UPDATE changes SET title = ''",
        "UPDATE stage_runs SET stage = 'deploy'",
        "UPDATE stage_runs SET number = 0",
        "UPDATE stage_runs SET finished_at_ms = 1",
        "UPDATE stage_runs SET finished_at_ms = 1, status = 'running'",
        "UPDATE stage_runs SET finished_at_ms = 1, status = 'passed'",
        "UPDATE stage_runs SET finished_at_ms = 1, status = 'passed', plan = '{}', cancel_at_ms = 1, cancel_by = 'bob'",
        "UPDATE stage_runs SET plan = '{}', plan_fault = 'x'",
        "UPDATE stage_runs SET cancel_at_ms = 1",
        "UPDATE stage_runs SET repeats = id, triggered_by = 'bob'",
        "UPDATE phase_runs SET finished_at_ms = 1",
        "UPDATE phase_runs SET status = 'idle', finished_at_ms = 1",
        "UPDATE phase_runs SET carried = NULL",
        "UPDATE phase_runs SET stage_run_id = NULL",
    ] {
        let answer = store.write(move |c| raw(c, sql)).await;
        let refused = matches!(
            &answer,
            Err(super::WorkError::Sql(diesel::result::Error::DatabaseError(
                diesel::result::DatabaseErrorKind::CheckViolation,
                _
            )))
        );
        assert!(refused, "{sql}: {answer:?}");
    }
}
