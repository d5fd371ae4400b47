//! Placements: who the host was at the intent, what proved a loss, and the migration that made room for it.

use shuntyard::store::{
    Expected, job_apply, job_attempt_insert, job_attempt_lost, job_attempts, job_events, job_insert,
};
use shuntyard_domain::attempt::{AttemptRecord, HostIdentity, Loss};
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::{JobEvent, JobState};
use shuntyard_domain::outcome::LostEvidence;

use super::samples::{RUNNER, job, log};
use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(
    a_placement_is_kept_with_its_loss_and_its_job_is_queued_again,
    the_events_of_an_older_database_survive_the_new_kind,
);

fn host(boot: &str) -> HostIdentity {
    HostIdentity { boot_id: Some(boot.into()), instance_id: Some("i".into()) }
}

async fn a_placement_is_kept_with_its_loss_and_its_job_is_queued_again(db: Database) {
    let store = db.open();
    let id = job(1).id;
    let loss = Loss { evidence: LostEvidence::Rebooted, at_ms: 9, now: host("b") };
    let (stored_loss, lost) = (loss.clone(), JobEvent::RequeuedAfterLoss { evidence: loss.evidence, log: log(3) });
    let again = store
        .write(move |c| -> Result<_, WorkError> {
            job_insert(c, &job(1))?;
            for event in [JobEvent::Assigned { runner: RUNNER }, JobEvent::StartIntended] {
                job_apply(c, id, Expected::Anything, &event, 5).map_err(|_| WorkError::Refused)?;
            }
            job_attempt_insert(c, AttemptId { job: id, attempt: 1 }, (RUNNER, "u1"), 5, &host("a"))?;
            job_attempt_lost(c, AttemptId { job: id, attempt: 1 }, &stored_loss)?;
            // An attempt of an earlier version has no row.
            job_attempt_lost(c, AttemptId { job: id, attempt: 7 }, &stored_loss)?;
            job_apply(c, id, Expected::Anything, &lost, 9).map_err(|_| WorkError::Refused)
        })
        .await
        .unwrap();
    assert_eq!((again.state, again.attempt), (JobState::Queued, 1));
    let record = AttemptRecord {
        attempt: 1,
        runner: RUNNER,
        hostname: Some("u1".into()),
        intended_at_ms: 5,
        host: host("a"),
        loss: Some(loss),
    };
    assert_eq!(store.read(move |c| job_attempts(c, id)).await.unwrap(), [record]);
    let twice = store
        .write(move |c| job_attempt_insert(c, AttemptId { job: id, attempt: 1 }, (RUNNER, "u1"), 5, &host("a")))
        .await;
    assert!(twice.is_err(), "an attempt is placed once");
    let half = "UPDATE job_attempts SET lost_at_ms = NULL";
    assert!(store.write(|c| raw(c, half)).await.is_err(), "half a loss was stored");
}

async fn the_events_of_an_older_database_survive_the_new_kind(db: Database) {
    let store = db.open();
    let id = job(1).id;
    store
        .write(move |c| -> Result<_, WorkError> {
            job_insert(c, &job(1))?;
            job_apply(c, id, Expected::Anything, &JobEvent::Assigned { runner: RUNNER }, 5)
                .map_err(|_| WorkError::Refused)
        })
        .await
        .unwrap();
    let before = store.read(move |c| job_events(c, id)).await.unwrap();
    store
        .write(|c| raw(c, "DROP TABLE job_attempts; DELETE FROM __diesel_schema_migrations WHERE version = '0004'"))
        .await
        .unwrap();
    store.close().await;
    let upgraded = db.open();
    assert_eq!(upgraded.read(move |c| job_events(c, id)).await.unwrap(), before);
    assert_eq!(upgraded.read(move |c| job_attempts(c, id)).await.unwrap(), []);
}
