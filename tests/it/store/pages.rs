//! Lists of jobs: the unfinished ones in the board's order, the others page by page.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl as _};
use shuntyard::store::{
    JobQuery, PhaseRunRow, Store, StoreError, job_insert, job_page, jobs_unfinished, phase_run_insert,
};
use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::phase::Phase;
use uuid::Uuid;

use super::samples::{RUNNER, histories, insert_histories, job};
use super::{Database, WorkError, on_both_databases};

on_both_databases!(
    unfinished_jobs_come_by_priority_then_age,
    pages_go_from_new_to_old_without_gap_or_repeat,
    every_word_for_a_state_finds_its_jobs,
    jobs_are_found_by_project_runner_and_phase_run,
);

async fn ids(store: &Store, query: JobQuery) -> Vec<u128> {
    let page = store.read(move |c| job_page(c, &query)).await.unwrap();
    page.into_iter().map(|job| job.id.0.as_u128()).collect()
}

async fn unfinished_jobs_come_by_priority_then_age(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    store
        .write(|c| {
            for (number, priority) in [(101, 5), (102, 9), (103, 5), (104, i32::MIN), (105, i32::MAX)] {
                let mut job = job(number);
                job.priority = priority;
                job_insert(c, &job)?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    let found = store.read(jobs_unfinished).await.unwrap();
    let order: Vec<u128> = found.iter().map(|job| job.id.0.as_u128()).collect();
    // The samples 1 to 6 are unfinished and have priority -3.
    assert_eq!(order, [105, 102, 101, 103, 1, 2, 3, 4, 5, 6, 104]);
}

async fn pages_go_from_new_to_old_without_gap_or_repeat(db: Database) {
    let store = db.open();
    store.write(|c| (1..=25).try_for_each(|number| job_insert(c, &job(number)))).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = ids(&store, JobQuery { before, limit: 10, ..JobQuery::default() }).await;
        before = page.last().map(|last| JobId(Uuid::from_u128(*last)));
        let last = page.len() < 10;
        seen.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    assert_eq!(ids(&store, JobQuery { limit: 0, ..JobQuery::default() }).await, [25]);
    assert_eq!(ids(&store, JobQuery { limit: u32::MAX, ..JobQuery::default() }).await.len(), 25);
}

async fn every_word_for_a_state_finds_its_jobs(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    let live = ["queued", "assigned", "starting", "running"];
    let matches = |word: &str, state: &str| match word {
        "pending" => live[..3].contains(&state),
        "unfinished" => live.contains(&state),
        "finished" => !live.contains(&state),
        word => word == state,
    };
    let words = ["pending", "unfinished", "finished", "succeeded", "failed", "cancelled", "timed_out", "lost"];
    for word in words.into_iter().chain(live).chain(["expired", "abandoned", "banana", ""]) {
        let numbered = (1..).zip(histories());
        let mut expected: Vec<u128> = numbered.filter(|(_, (state, _))| matches(word, state)).map(|(n, _)| n).collect();
        expected.reverse();
        let found = ids(&store, JobQuery { state: Some(word.into()), limit: 500, ..JobQuery::default() }).await;
        assert_eq!(found, expected, "{word}");
    }
}

async fn jobs_are_found_by_project_runner_and_phase_run(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    let run = PhaseRunId(Uuid::from_u128(7));
    store
        .write(move |c| {
            phase_run_insert(c, &phase_run(run))?;
            for (number, row) in [(101, 0), (102, 1)] {
                let mut job = job(number);
                job.origin.project = "other".into();
                job.origin.phase_run = Some(run);
                job.origin.row = row;
                job_insert(c, &job)?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    let all = JobQuery { limit: 500, ..JobQuery::default() };
    assert_eq!(ids(&store, JobQuery { project: Some("other".into()), ..all.clone() }).await, [102, 101]);
    assert_eq!(ids(&store, JobQuery { phase_run: Some(run), ..all.clone() }).await, [102, 101]);
    let on_runner = JobQuery { runner: Some(RUNNER), state: Some("running".into()), ..all.clone() };
    assert_eq!(ids(&store, on_runner).await, [5, 4]);
    let neither = JobQuery { runner: Some(RUNNER), phase_run: Some(run), ..all };
    assert!(ids(&store, neither).await.is_empty());
}

fn phase_run(id: PhaseRunId) -> PhaseRunRow {
    PhaseRunRow {
        id,
        enterprise: "default".into(),
        org: "acme".into(),
        project: "other".into(),
        phase: Phase::Unit,
        stage: None,
        config_digest: "0".repeat(64),
        config_text: "{}".into(),
        created_at_ms: 5,
        skipped: false,
    }
}

/// Neither a long queue nor a long history may be sorted or read through for one page, or for the board.
#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_read_in_the_order_of_an_index() {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let db = Database::sqlite();
    let store = db.open();
    for (index, query) in [
        ("jobs_unfinished", "finished_at_ms IS NULL ORDER BY priority DESC, id ASC"),
        ("jobs_unfinished_by_id", "finished_at_ms IS NULL ORDER BY id DESC LIMIT 50"),
        ("jobs_unfinished_by_id", "finished_at_ms IS NULL AND state <> 'running' ORDER BY id DESC LIMIT 50"),
        ("jobs_unfinished_by_id", "finished_at_ms IS NULL AND id < '5' ORDER BY id DESC LIMIT 50"),
        ("jobs_finished_by_id", "finished_at_ms IS NOT NULL ORDER BY id DESC LIMIT 50"),
        ("jobs_by_state", "state = 'lost' ORDER BY id DESC LIMIT 50"),
        // What runs, for the lists of runners: as many rows as slots are taken.
        ("jobs_by_state", "state IN ('assigned', 'starting', 'running')"),
        ("jobs_by_runner", "runner_id = 'x' AND state IN ('assigned', 'starting', 'running')"),
        ("jobs_by_phase_run", "phase_run_id = 'x' ORDER BY id DESC LIMIT 50"),
        ("jobs_by_project", "project = 'x' ORDER BY id DESC LIMIT 50"),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN SELECT * FROM jobs WHERE {query}");
        let plan: Vec<Step> =
            store.read(move |c| Ok::<_, WorkError>(diesel::sql_query(explain).load(c)?)).await.unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| format!("{} ", step.detail)).collect();
        assert!(plan.iter().any(|step| step.contains(&format!("USING INDEX {index} "))), "{query}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{query}: {plan:?}");
    }
}
