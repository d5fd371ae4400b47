//! Rows that a released version wrote must load, whatever is added since.
//!
//! `fixtures/store/rows-VERSION.sql` is what that version wrote, `rows-VERSION.json` how it read it. They are
//! never changed; a new version adds its own pair.

use shuntyard::store::{job_events, job_find, runner_by_id};
use shuntyard_domain::job::Job;

use super::samples::RUNNER;
use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(the_rows_of_version_0001_load);

async fn the_rows_of_version_0001_load(db: Database) {
    let store = db.open();
    store.write(|c| raw(c, include_str!("../../../fixtures/store/rows-0001.sql"))).await.unwrap();
    let expected: Vec<Job> = serde_json::from_str(include_str!("../../../fixtures/store/rows-0001.json")).unwrap();
    assert!(expected.len() >= 11);
    for job in expected {
        let id = job.id;
        let (read, history) =
            store.read(move |c| Ok::<_, WorkError>((job_find(c, id)?, job_events(c, id)?))).await.unwrap();
        assert_eq!(history.last().unwrap().version, job.version);
        assert_eq!(read, Some(job));
    }
    assert_eq!(store.read(|c| runner_by_id(c, RUNNER)).await.unwrap().unwrap().hostname, "build-1");
}
