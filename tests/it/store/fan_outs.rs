//! Fan-outs and their rows: read as they were written, started once, counted.

use shuntyard::store::{
    Connection, FanOutQuery, Store, StoreError, fan_out_counts, fan_out_find, fan_out_insert, fan_out_page,
    fan_out_row_start, fan_out_rows_insert, fan_out_rows_leave_out, fan_out_rows_of, fan_out_update, fan_outs_open,
    job_find, workspaces_in_use,
};
use shuntyard_domain::change::Signed;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::fan_out::{
    FanOut, FanOutEnd, FanOutRow, FanOutStatus, LeftOut, Pace, RowNotRun, RowStanding, Share,
};
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{FanOutId, JobId, RunnerId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::wire::fan_out::FanOutCounts;
use uuid::Uuid;

use super::samples::job;
use super::{Database, on_both_databases};

on_both_databases!(
    a_fan_out_is_read_as_it_was_written,
    a_row_is_started_once_and_what_is_left_out_is_not_started,
    pages_hold_what_was_asked_for_and_rows_are_counted,
    a_workspace_of_rows_that_have_no_job_yet_is_in_use,
);

pub fn fan_out(number: u128) -> FanOut {
    FanOut {
        id: FanOutId(Uuid::from_u128(number)),
        enterprise: "default".into(),
        org: "default".into(),
        project: "shop".into(),
        title: "uptime – ö".into(),
        spec: JobSpec { queue_limit_s: Some(60), ..JobSpec::shell("uptime") },
        filter: Filter { labels: vec!["web".into()], ..Filter::default() },
        priority: -2,
        pace: Pace { canary: 1, batch: Some(Share::Percent(10)), max_failures: Some(Share::Count(2)) },
        left_out: vec![LeftOut { hostname: "off".into(), why: "disabled".into() }],
        repeats: None,
        created: Signed { at_ms: 7, by: "ada".into() },
        cancel: None,
        end: None,
        version: 0,
    }
}

pub fn row(number: u32) -> FanOutRow {
    FanOutRow::new(number, RunnerId(Uuid::from_u128(100 + u128::from(number))), format!("h{number}"))
}

async fn insert(store: &Store, fan_out: FanOut, rows: u32) {
    let rows: Vec<FanOutRow> = (0..rows).map(row).collect();
    let insert = move |c: &mut Connection| {
        fan_out_insert(c, &fan_out)?;
        fan_out_rows_insert(c, fan_out.id, &rows)
    };
    let inserted: Result<(), StoreError> = store.write(insert).await;
    inserted.unwrap();
}

async fn start(store: &Store, number: u32, of: u128) -> Result<(), StoreError> {
    store.write(move |c| fan_out_row_start(c, fan_out(1).id, number, &job(of))).await
}

async fn a_fan_out_is_read_as_it_was_written(db: Database) {
    let store = db.open();
    insert(&store, fan_out(1), 3).await;
    let id = fan_out(1).id;
    assert_eq!(store.read(move |c| fan_out_find(c, id)).await.unwrap(), Some(fan_out(1)));
    assert_eq!(store.read(move |c| fan_out_rows_of(c, id)).await.unwrap(), [row(0), row(1), row(2)]);
    let signed = Some(Signed { at_ms: 9, by: "bob".into() });
    let end = Some(FanOutEnd { status: FanOutStatus::Cancelled, at_ms: 11 });
    let ended = FanOut { cancel: signed, end, ..fan_out(1) };
    let (written, read) = (ended.clone(), FanOut { version: 1, ..ended });
    let next = store.write(move |c| fan_out_update(c, &written)).await.unwrap();
    assert_eq!(next, read);
    assert_eq!(store.read(move |c| fan_out_find(c, id)).await.unwrap(), Some(read));
    let raced = store.write(|c| fan_out_update(c, &fan_out(1))).await;
    assert!(matches!(raced, Err(StoreError::Raced { .. })), "{raced:?}");
    let twice = store.write(|c| fan_out_rows_insert(c, fan_out(1).id, &[FanOutRow { number: 9, ..row(0) }])).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "a runner has one row: {twice:?}");
}

async fn a_row_is_started_once_and_what_is_left_out_is_not_started(db: Database) {
    let store = db.open();
    insert(&store, fan_out(1), 3).await;
    start(&store, 1, 5).await.unwrap();
    for (number, of) in [(1, 6), (7, 6)] {
        let again = start(&store, number, of).await;
        assert!(matches!(again, Err(StoreError::Raced { .. })), "{again:?}");
    }
    assert_eq!(store.read(|c| job_find(c, JobId(Uuid::from_u128(6)))).await.unwrap(), None, "no job without its row");
    let id = fan_out(1).id;
    store.write(move |c| fan_out_rows_leave_out(c, id, &[0, 1], RowNotRun::MaxFailures)).await.unwrap();
    store.write(move |c| fan_out_rows_leave_out(c, id, &[0], RowNotRun::Cancelled)).await.unwrap();
    assert!(matches!(start(&store, 0, 8).await, Err(StoreError::Raced { .. })));
    let rows = store.read(move |c| fan_out_rows_of(c, id)).await.unwrap();
    assert_eq!(rows[0].not_run, Some(RowNotRun::MaxFailures), "the first reason stays");
    let standings: Vec<RowStanding> = rows.iter().map(FanOutRow::standing).collect();
    assert_eq!(standings, [RowStanding::NotRun, RowStanding::Live, RowStanding::Idle]);
    assert_eq!(rows[1].job.as_ref().map(|job| job.state.as_str()), Some("queued"));
}

async fn pages_hold_what_was_asked_for_and_rows_are_counted(db: Database) {
    let store = db.open();
    for number in 1..=3 {
        insert(&store, fan_out(number), 2).await;
    }
    start(&store, 1, 5).await.unwrap();
    let end = Some(FanOutEnd { status: FanOutStatus::Failed, at_ms: 11 });
    store.write(move |c| fan_out_update(c, &FanOut { end, ..fan_out(2) })).await.unwrap();
    let page = |status: Option<&str>, before: Option<u128>, limit| FanOutQuery {
        within: None,
        status: status.map(str::to_owned),
        project: Some("shop".into()),
        before: before.map(|number| FanOutId(Uuid::from_u128(number))),
        limit,
    };
    for (query, expected) in [
        (page(None, None, 500), &[3, 2, 1][..]),
        (page(None, Some(3), 1), &[2]),
        (page(Some("running"), None, 500), &[3, 1]),
        (page(Some("failed"), None, 500), &[2]),
        (FanOutQuery { project: Some("x".into()), limit: 9, ..FanOutQuery::default() }, &[]),
    ] {
        let found = store.read(move |c| fan_out_page(c, &query)).await.unwrap();
        assert_eq!(found.iter().map(|found| found.id.0.as_u128()).collect::<Vec<_>>(), expected);
    }
    assert_eq!(store.read(fan_outs_open).await.unwrap(), [fan_out(1).id, fan_out(3).id]);
    let counts = store.read(|c| fan_out_counts(c, &[fan_out(1).id, fan_out(2).id])).await.unwrap();
    let of = |waiting, running| FanOutCounts { rows: 2, waiting, running, ..FanOutCounts::default() };
    assert_eq!(counts, [(fan_out(1).id, of(1, 1)), (fan_out(2).id, of(2, 0))].into());
}

async fn a_workspace_of_rows_that_have_no_job_yet_is_in_use(db: Database) {
    let store = db.open();
    let tree: Digest = "aa".repeat(32).parse().unwrap();
    let with = |fan_out: FanOut| FanOut { spec: JobSpec { workspace: Some(tree), ..fan_out.spec.clone() }, ..fan_out };
    insert(&store, with(fan_out(1)), 1).await;
    assert_eq!(store.read(workspaces_in_use).await.unwrap(), [tree]);
    let end = Some(FanOutEnd { status: FanOutStatus::Failed, at_ms: 11 });
    let ended = FanOut { end, ..with(fan_out(1)) };
    store.write(move |c| fan_out_update(c, &ended)).await.unwrap();
    assert!(store.read(workspaces_in_use).await.unwrap().is_empty());
}
