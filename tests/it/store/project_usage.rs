//! What projects have, counted with every insert and every end; quotas of their own.

use shuntyard::store::{
    Expected, QuotaRow, StoreError, job_apply, job_insert, project_quotas_find, project_quotas_set, project_unfinished,
};
use shuntyard_domain::job::{Job, JobEvent, JobOrigin};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::tenancy::Name;

use super::samples::job;
use super::{Database, on_both_databases, raw};

on_both_databases!(
    jobs_count_from_their_insert_to_their_end_and_a_rolled_back_one_never,
    jobs_of_an_earlier_version_are_counted_by_the_migration,
    quotas_are_set_over_what_was_there_and_taken_away,
);

async fn jobs_count_from_their_insert_to_their_end_and_a_rolled_back_one_never(db: Database) {
    let store = db.open();
    let jobs: Vec<Job> = (1..=3).map(job).collect();
    let origin = jobs[0].origin.clone();
    let count = || {
        let origin = origin.clone();
        async { store.read(move |c| project_unfinished(c, &origin)).await.unwrap() }
    };
    assert_eq!(count().await, 0);
    for job in jobs.clone() {
        store.write(move |c| job_insert(c, &job)).await.unwrap();
    }
    assert_eq!(count().await, 3);
    let twice = jobs[0].clone();
    assert!(store.write(move |c| job_insert(c, &twice)).await.is_err());
    assert_eq!(count().await, 3, "what was refused is not counted");
    let cancel = JobEvent::CancelRequested { by: "x".into(), reason: StopReason::User };
    for _ in 0..2 {
        let (id, cancel) = (jobs[1].id, cancel.clone());
        let _ = store.write(move |c| job_apply(c, id, Expected::Anything, &cancel, 9)).await;
    }
    assert_eq!(count().await, 2, "an end counts once");
    let other = JobOrigin { project: "other".into(), ..origin.clone() };
    assert_eq!(store.read(move |c| project_unfinished(c, &other)).await.unwrap(), 0);
}

async fn jobs_of_an_earlier_version_are_counted_by_the_migration(db: Database) {
    let store = db.open();
    let waiting = job(1);
    let origin = waiting.origin.clone();
    store.write(move |c| job_insert(c, &waiting)).await.unwrap();
    // As it was before: the migration alone counts.
    let up = include_str!("../../../migrations/0023_project_usage/up.sql");
    store.write(|c| raw(c, include_str!("../../../migrations/0023_project_usage/down.sql"))).await.unwrap();
    store.write(move |c| raw(c, up)).await.unwrap();
    assert_eq!(store.read(move |c| project_unfinished(c, &origin)).await.unwrap(), 1);
}

async fn quotas_are_set_over_what_was_there_and_taken_away(db: Database) {
    let store = db.open();
    let all = QuotaRow {
        unfinished_jobs: Some(0),
        script_bytes: Some(1),
        matrix_rows: Some(500),
        job_log_bytes: Some(1 << 40),
    };
    let one = QuotaRow { matrix_rows: Some(7), ..QuotaRow::default() };
    for quotas in [all, one, QuotaRow::default()] {
        let own = Name::of_default();
        store.write(move |c| project_quotas_set(c, (&own, &own, &own), &quotas, 5)).await.unwrap();
        let key = ("default", "default", "default");
        let found: Result<_, StoreError> = store.read(move |c| project_quotas_find(c, key)).await;
        assert_eq!(found.unwrap(), quotas);
    }
}
