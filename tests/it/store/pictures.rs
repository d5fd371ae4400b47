//! What pages show of many jobs at a time: the queue in its order, counts, spans of time.

use std::collections::BTreeMap;

use shuntyard::store::{
    Connection, JobCounts, QueueQuery, Span, StageTook, StoreError, change_insert, job_counts, job_insert, job_spans,
    jobs_on_runners, jobs_ran, phase_spans, pipeline_ensure, queue_page, stage_phase_end, stage_phase_insert,
    stage_run_insert, stages_took,
};
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{JobId, PhaseRunId, RunnerId, StageRunId};
use shuntyard_domain::job::Job;
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::stage::{End, PhaseRun, StageRun, Status};
use uuid::Uuid;

use super::pipelines::{change, made, name, path, phase_run, run};
use super::samples::{RUNNER, insert_histories, job};
use super::{Database, on_both_databases, raw};

on_both_databases!(
    the_queue_comes_as_it_is_served_with_counts_of_the_whole,
    jobs_that_ran_come_by_their_start,
    the_last_run_of_a_stage_that_passed_says_what_it_usually_takes,
);

fn numbers(jobs: &[Job]) -> Vec<u128> {
    jobs.iter().map(|job| job.id.0.as_u128()).collect()
}

/// The samples, and one more that waits and goes before them.
fn insert(c: &mut Connection) -> Result<(), StoreError> {
    insert_histories(c)?;
    job_insert(c, &Job { priority: 9, ..job(101) })
}

async fn the_queue_comes_as_it_is_served_with_counts_of_the_whole(db: Database) {
    let store = db.open();
    store.write(insert).await.unwrap();
    let page = |query: QueueQuery| store.read(move |c| queue_page(c, &query));
    let whole = page(QueueQuery { limit: 10, ..QueueQuery::default() }).await.unwrap();
    assert_eq!((numbers(&whole.placed), numbers(&whole.waiting)), (vec![5, 4, 3, 2], vec![101, 1, 6]));
    let unfinished = JobCounts { waiting: 3, placed: 4, ended: 0, failed: 0 };
    assert_eq!(whole.counts, unfinished);
    let part = page(QueueQuery { skip: 1, limit: 1, ..QueueQuery::default() }).await.unwrap();
    assert_eq!((numbers(&part.placed), numbers(&part.waiting), part.counts), (vec![5], vec![1], unfinished));
    let all = store.read(|c| job_counts(c, None, 0)).await.unwrap();
    assert_eq!(all, JobCounts { ended: 16, failed: 8, ..unfinished });
    for (place, counts) in [("acme", all), ("shop", JobCounts::default())] {
        let within = Some(vec![Place::Org(name(place))]);
        assert_eq!(store.read(move |c| job_counts(c, within.as_deref(), 0)).await.unwrap(), counts, "{place}");
    }
    let on = |runner: RunnerId| store.read(move |c| jobs_on_runners(c, &[runner, RunnerId(Uuid::from_u128(1))]));
    assert_eq!(numbers(&on(RUNNER).await.unwrap()), [2, 3, 4, 5]);
    assert_eq!(numbers(&on(RunnerId(Uuid::from_u128(2))).await.unwrap()), [0; 0]);
}

async fn jobs_that_ran_come_by_their_start(db: Database) {
    let store = db.open();
    store.write(insert).await.unwrap();
    let spans = |since_ms: i64, limit: usize| store.read(move |c| job_spans(c, None, since_ms, limit));
    let started = spans(0, 100).await.unwrap();
    let ids: Vec<u128> = started.iter().map(|span| span.id.parse::<Uuid>().unwrap().as_u128()).collect();
    assert_eq!(ids, [4, 5, 8, 9, 10, 11, 14, 15, 16, 17, 19, 22]);
    // Those that run are there whatever the limit and the time are.
    assert_eq!(spans(0, 3).await.unwrap().len(), 5);
    assert_eq!(spans(i64::MAX, 100).await.unwrap().len(), 2);
    let ids = [1, 4, 8].map(|number| JobId(Uuid::from_u128(number)));
    let ran = store.read(move |c| jobs_ran(c, &ids)).await.unwrap();
    let begun_ms = 1_700_000_000_003;
    let expected =
        [(ids[1], Span { begun_ms, ended_ms: None }), (ids[2], Span { begun_ms, ended_ms: Some(begun_ms + 1) })];
    assert_eq!(ran, BTreeMap::from(expected));
}

async fn the_last_run_of_a_stage_that_passed_says_what_it_usually_takes(db: Database) {
    let store = db.open();
    let of = StageRunId(Uuid::from_u128(10));
    let insert = |c: &mut Connection| {
        pipeline_ensure(c, &path("hello"), 1)?;
        change_insert(c, &change(1))?;
        let planned = StageRun { plan: made(), ..run(10, 1, Stage::Verify) };
        stage_run_insert(c, &path("hello"), &planned)?;
        let mut insert =
            |phase: &PhaseRun| stage_phase_insert(c, &path("hello"), Stage::Verify, phase, phase.phase == Phase::Lint);
        insert(&phase_run(20, Phase::Unit))?;
        insert(&PhaseRun { project: name("shop"), created_at_ms: 6, ..phase_run(21, Phase::Unit) })?;
        insert(&phase_run(22, Phase::Lint))
    };
    store.write(insert).await.unwrap();
    let spans = || store.read(move |c| phase_spans(c, &[of]));
    let end = |number: u128, at_ms: i64| {
        let end = End { status: Status::Passed, at_ms };
        store.write(move |c| stage_phase_end(c, PhaseRunId(Uuid::from_u128(number)), end))
    };
    assert!(end(20, 30).await.unwrap());
    let open = Span { begun_ms: 6, ended_ms: None };
    assert_eq!(spans().await.unwrap(), BTreeMap::from([((of, Phase::Unit), open)]));
    assert!(end(21, 20).await.unwrap());
    let both = Span { ended_ms: Some(30), ..open };
    assert_eq!(spans().await.unwrap(), BTreeMap::from([((of, Phase::Unit), both)]));
    let took = || store.read(|c| stages_took(c, &path("hello")));
    assert_eq!(took().await.unwrap(), BTreeMap::new());
    let passed = format!("UPDATE stage_runs SET finished_at_ms = 40, status = 'passed' WHERE id = '{of}'");
    store.write(move |c| raw(c, &passed)).await.unwrap();
    let usual = StageTook { whole_ms: 40 - 7, phases_ms: BTreeMap::from([(Phase::Unit, 24)]) };
    assert_eq!(took().await.unwrap(), BTreeMap::from([(Stage::Verify, usual)]));
}
