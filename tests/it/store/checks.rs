//! The tables refuse rows that the program could not have written.

use std::collections::BTreeMap;

use diesel::result::{DatabaseErrorKind, Error as SqlError};
use serde::Deserialize;
use shuntyard::store::{ApplyError, Expected, job_apply, job_find, job_insert, runner_insert};
use shuntyard_domain::ids::PhaseRunId;
use shuntyard_domain::job::{CancelRequest, Job, JobEvent, JobState, transition};
use uuid::Uuid;

use super::samples::{histories, insert_histories, job, runner};
use super::{Database, WorkError, on_both_databases, raw};

on_both_databases!(
    a_forged_job_is_refused,
    whatever_the_state_machine_yields_is_stored,
    an_honest_change_of_any_job_is_accepted,
    a_forged_runner_or_event_is_refused,
    a_job_of_an_unknown_phase_run_is_refused,
);

#[derive(Deserialize)]
struct Forgery {
    job: String,
    set: String,
    why: String,
}

/// The part of the transition table that says what is to be tried.
#[derive(Deserialize)]
struct Pairs {
    jobs: BTreeMap<String, Start>,
    events: BTreeMap<String, JobEvent>,
}

#[derive(Deserialize)]
struct Start {
    state: JobState,
    attempt: u32,
    cancel: Option<CancelRequest>,
}

/// The first sample in that state: its id counts from 1.
fn sample_in(state: &str) -> Uuid {
    let place = histories().iter().position(|(name, _)| *name == state).expect(state);
    Uuid::from_u128(place as u128 + 1)
}

fn is_check(answer: &Result<(), WorkError>) -> bool {
    matches!(answer, Err(WorkError::Sql(SqlError::DatabaseError(DatabaseErrorKind::CheckViolation, _))))
}

async fn a_forged_job_is_refused(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    let forgeries: Vec<Forgery> =
        serde_json::from_str(include_str!("../../../fixtures/store/forged_rows.json")).unwrap();
    for Forgery { job, set, why } in forgeries {
        let sql = format!("UPDATE jobs SET {set} WHERE id = '{}'", sample_in(&job));
        let answer = store.write(move |c| raw(c, &sql)).await;
        assert!(is_check(&answer), "{job}: {set} ({why}): {answer:?}");
    }
}

/// Every pair of the transition table: the constraints must not refuse what the program can write.
async fn whatever_the_state_machine_yields_is_stored(db: Database) {
    let store = db.open();
    let pairs: Pairs = serde_json::from_str(include_str!("../../../fixtures/transitions/cases.json")).unwrap();
    let mut numbers = 1..;
    for (name, start) in pairs.jobs {
        for event in pairs.events.values() {
            let event = event.clone();
            let before = Job {
                finished_at_ms: start.state.is_finished().then_some(5),
                state: start.state.clone(),
                attempt: start.attempt,
                cancel: start.cancel.clone(),
                ..job(numbers.next().unwrap())
            };
            let (id, expected) = (before.id, transition(&before, &event, 9));
            let word = event.name();
            let answer = store
                .write(move |c| {
                    job_insert(c, &before)?;
                    job_apply(c, id, Expected::Version(0), &event, 9)
                })
                .await;
            match (answer, expected) {
                (Ok(after), Ok(expected)) => {
                    assert_eq!(after, expected);
                    assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(expected));
                }
                (Err(ApplyError::Illegal(found)), Err(expected)) => assert_eq!(found, expected),
                other => panic!("{name} × {word}: {other:?}"),
            }
        }
    }
}

async fn an_honest_change_of_any_job_is_accepted(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    store.write(|c| raw(c, "UPDATE jobs SET title = 'another', version = version + 1")).await.unwrap();
}

async fn a_forged_runner_or_event_is_refused(db: Database) {
    let store = db.open();
    store.write(insert_histories).await.unwrap();
    store.write(|c| runner_insert(c, &runner(1, "h"), b"k")).await.unwrap();
    for sql in [
        "UPDATE runners SET state = 'online'",
        "UPDATE runners SET slots = -1",
        "UPDATE runners SET hostname = ''",
        "UPDATE job_events SET kind = 'banana'",
        "UPDATE job_events SET body = NULL WHERE kind = 'assigned'",
        "UPDATE job_events SET body = '{}' WHERE kind = 'submitted'",
    ] {
        let answer = store.write(move |c| raw(c, sql)).await;
        assert!(is_check(&answer), "{sql}: {answer:?}");
    }
}

async fn a_job_of_an_unknown_phase_run_is_refused(db: Database) {
    let store = db.open();
    let mut orphan = job(1);
    orphan.origin.phase_run = Some(PhaseRunId(Uuid::from_u128(9)));
    assert!(store.write(move |c| job_insert(c, &orphan)).await.is_err());
}
