//! A job's way through the one door.

use shuntyard::store::{
    ApplyError, Expected, JobEventRow, RecordedEvent, StoreError, job_apply, job_apply_each, job_events, job_find,
    job_insert, jobs_runner_hostnames, runner_delete, runner_insert,
};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::JobEvent;
use uuid::Uuid;

use super::samples::{RUNNER, histories, insert_histories, job, runner};
use super::{Database, on_both_databases};

on_both_databases!(
    a_job_is_read_as_it_was_written_in_every_state,
    the_history_holds_every_event_in_order,
    of_two_applies_at_one_version_exactly_one_wins,
    an_apply_on_an_old_version_is_raced_and_changes_nothing,
    an_illegal_event_changes_nothing,
    a_word_about_an_earlier_attempt_changes_nothing,
    a_job_that_is_not_there_is_not_found,
    a_job_is_inserted_once,
    a_job_keeps_the_name_of_a_deleted_runner,
    a_requeued_job_has_no_runner,
);

async fn a_job_is_read_as_it_was_written_in_every_state(db: Database) {
    let store = db.open();
    let written = store.write(insert_histories).await.unwrap();
    for (job, (state, events)) in written.into_iter().zip(histories()) {
        assert_eq!(job.state.name(), state, "{events:?}");
        let id = job.id;
        let read = store.read(move |c| job_find(c, id)).await.unwrap();
        assert_eq!(read, Some(job), "{events:?}");
    }
}

async fn the_history_holds_every_event_in_order(db: Database) {
    let store = db.open();
    let written = store.write(insert_histories).await.unwrap();
    for (job, (_, events)) in written.into_iter().zip(histories()) {
        let history: Vec<JobEventRow> = store.read(move |c| job_events(c, job.id)).await.unwrap();
        assert_eq!(history[0].event, RecordedEvent::Submitted);
        assert_eq!(history[0].at_ms, job.created_at_ms);
        let applied: Vec<JobEvent> = history[1..]
            .iter()
            .map(|row| match &row.event {
                RecordedEvent::Applied(event) => event.clone(),
                RecordedEvent::Submitted => panic!("submitted twice"),
            })
            .collect();
        assert_eq!(applied, events);
        let places: Vec<(u32, i64)> = history.iter().map(|row| (row.seq, row.version)).collect();
        assert_eq!(places, (1..).zip(0..=job.version).collect::<Vec<_>>());
    }
}

async fn of_two_applies_at_one_version_exactly_one_wins(db: Database) {
    // Two stores, as two dispatchers have them: nothing but the database stands between.
    let (one, other) = (db.open(), db.open());
    for number in 1..=30 {
        let id = JobId(Uuid::from_u128(number));
        one.write(move |c| job_insert(c, &job(number))).await.unwrap();
        let assigned = JobEvent::Assigned { runner: RUNNER };
        let cancelled = JobEvent::Expired;
        let (a, b) = tokio::join!(
            one.write(move |c| job_apply(c, id, Expected::Version(0), &assigned, 5)),
            other.write(move |c| job_apply(c, id, Expected::Version(0), &cancelled, 5)),
        );
        let winner = match (a, b) {
            (Ok(job), Err(ApplyError::Raced { expected: 0, found: 1 }))
            | (Err(ApplyError::Raced { expected: 0, found: 1 }), Ok(job)) => job,
            other => panic!("{other:?}"),
        };
        let (now, history) =
            one.read(move |c| Ok::<_, StoreError>((job_find(c, id)?, job_events(c, id)?))).await.unwrap();
        assert_eq!(now, Some(winner));
        assert_eq!(history.len(), 2);
    }
}

async fn an_apply_on_an_old_version_is_raced_and_changes_nothing(db: Database) {
    let store = db.open();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let id = job(1).id;
    let assigned = store
        .write(move |c| job_apply(c, id, Expected::Anything, &JobEvent::Assigned { runner: RUNNER }, 5))
        .await
        .unwrap();
    let raced = store.write(move |c| job_apply(c, id, Expected::Version(0), &JobEvent::StartIntended, 6)).await;
    assert!(matches!(raced, Err(ApplyError::Raced { expected: 0, found: 1 })), "{raced:?}");
    assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(assigned));
}

async fn an_illegal_event_changes_nothing(db: Database) {
    let store = db.open();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let id = job(1).id;
    let illegal =
        store.write(move |c| job_apply(c, id, Expected::Version(0), &JobEvent::Started, 6)).await.unwrap_err();
    assert_eq!(illegal.to_string(), "a queued job cannot take the event started");
    assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(job(1)));
    assert_eq!(store.read(move |c| job_events(c, id)).await.unwrap().len(), 1);
}

async fn a_word_about_an_earlier_attempt_changes_nothing(db: Database) {
    let store = db.open();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let id = job(1).id;
    let refused = || JobEvent::NeverStarted { why: "fenced".into() };
    let placed = [JobEvent::Assigned { runner: RUNNER }, JobEvent::StartIntended];
    let twice = placed.iter().chain([&refused()]).chain(&placed).map(|event| (event.clone(), 5)).collect::<Vec<_>>();
    let second = store.write(move |c| {
        let steps: Vec<_> = twice.iter().map(|(event, at_ms)| (event, *at_ms)).collect();
        job_apply_each(c, id, Expected::Anything, &steps)
    });
    let second = second.await.unwrap();
    assert_eq!((second.attempt, second.state.name()), (2, "starting"));
    let late = store.write(move |c| job_apply(c, id, Expected::Attempt(1), &refused(), 6)).await;
    assert!(matches!(late, Err(ApplyError::Superseded { of: 1, found: 2 })), "{late:?}");
    assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), Some(second));
    let own = store.write(move |c| job_apply(c, id, Expected::Attempt(2), &refused(), 6)).await.unwrap();
    assert_eq!(own.state.name(), "queued");
}

async fn a_job_that_is_not_there_is_not_found(db: Database) {
    let store = db.open();
    let id = job(1).id;
    let missing = store.write(move |c| job_apply(c, id, Expected::Anything, &JobEvent::Expired, 6)).await;
    assert!(matches!(missing, Err(ApplyError::NotFound(missing)) if missing == id), "{missing:?}");
    assert_eq!(store.read(move |c| job_find(c, id)).await.unwrap(), None);
    assert_eq!(store.read(move |c| job_events(c, id)).await.unwrap(), vec![]);
}

async fn a_job_is_inserted_once(db: Database) {
    let store = db.open();
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let again = store.write(|c| job_insert(c, &job(1))).await;
    assert!(matches!(again, Err(StoreError::Conflict { what: "job", .. })), "{again:?}");
}

async fn a_job_keeps_the_name_of_a_deleted_runner(db: Database) {
    let store = db.open();
    let id = job(1).id;
    let events = [
        JobEvent::Assigned { runner: RUNNER },
        JobEvent::StartIntended,
        JobEvent::Started,
        JobEvent::Abandoned { by: "ada".into() },
    ];
    let names = store
        .write(move |c| {
            runner_insert(c, &runner(0x77, "build-1"), b"sealed")?;
            job_insert(c, &job(1))?;
            for event in &events {
                job_apply(c, id, Expected::Anything, event, 5)?;
            }
            runner_delete(c, RUNNER)?;
            Ok::<_, ApplyError>(jobs_runner_hostnames(c, &[id, job(2).id])?)
        })
        .await
        .unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [(id, "build-1".to_owned())]);
    let now = store.read(move |c| job_find(c, id)).await.unwrap().unwrap();
    assert_eq!(now.state.runner(), Some(RUNNER));
}

async fn a_requeued_job_has_no_runner(db: Database) {
    let store = db.open();
    let id = job(1).id;
    let names = store
        .write(move |c| {
            runner_insert(c, &runner(0x77, "build-1"), b"sealed")?;
            job_insert(c, &job(1))?;
            job_apply(c, id, Expected::Anything, &JobEvent::Assigned { runner: RUNNER }, 5)?;
            job_apply(c, id, Expected::Anything, &JobEvent::Unassigned { why: "gone".into() }, 6)?;
            Ok::<_, ApplyError>(jobs_runner_hostnames(c, &[id])?)
        })
        .await
        .unwrap();
    assert!(names.is_empty(), "{names:?}");
}
