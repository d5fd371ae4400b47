//! The whole table of states and events: `fixtures/transitions/cases.json` says what each pair gives.
//!
//! An answer is `illegal`, or the word of the next state followed by what is known in it: `on-runner`,
//! `started`, `attempt=` when it changed, reasons, and `marked=` with the reason of a cancel request.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{CancelRequest, Job, JobEvent, JobOrigin, JobSpec, JobState, transition};
use shuntyard_domain::outcome::Outcome;
use uuid::Uuid;

const NOW_MS: i64 = 1_000;

#[derive(Deserialize)]
struct Cases {
    jobs: BTreeMap<String, Start>,
    events: BTreeMap<String, JobEvent>,
    table: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Start {
    state: JobState,
    attempt: u32,
    cancel: Option<CancelRequest>,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../../fixtures/transitions/cases.json")).unwrap()
}

fn job(start: &Start) -> Job {
    Job {
        id: JobId(Uuid::from_u128(1)),
        origin: JobOrigin { title: "unit".into(), ..JobOrigin::default() },
        spec: JobSpec::shell("true"),
        filter: Filter::default(),
        priority: 1,
        finished_at_ms: start.state.is_finished().then_some(5),
        state: start.state.clone(),
        attempt: start.attempt,
        version: 41,
        created_at_ms: 1,
        state_at_ms: 5,
        cancel: start.cancel.clone(),
    }
}

/// The answer in the fixture's words.
fn in_words(before: &Job, after: &Job) -> String {
    let mut words = vec![after.state.name().to_owned()];
    let mut known = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("{name}{value}")));
    known("on-runner", after.state.runner().map(|_| String::new()));
    if let JobState::Running { started_at_ms, .. } = after.state {
        assert_eq!(started_at_ms, if before.state.name() == "running" { 3 } else { NOW_MS });
        known("started", Some(String::new()));
    }
    if let JobState::Finished(finished) = &after.state {
        known("started", finished.started_at_ms.map(|_| String::new()));
    }
    known("attempt=", (after.attempt != before.attempt).then(|| after.attempt.to_string()));
    if let JobState::Finished(finished) = &after.state {
        known("exit_code=", finished.exit_code.map(|code| code.to_string()));
        known("stop_reason=", finished.stop_reason.map(|reason| reason.to_string()));
        known("not_run_reason=", finished.not_run_reason.map(|reason| reason.to_string()));
        known("lost_evidence=", finished.lost_evidence.map(|evidence| evidence.to_string()));
    }
    known("marked=", after.cancel.as_ref().map(|cancel| cancel.reason.to_string()));
    words.join(" ")
}

/// What holds for every pair, whatever the table says.
fn check_bookkeeping(before: &Job, after: &Job) {
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.finished_at_ms.is_some(), after.state.is_finished());
    let entered = if after.state == before.state { before.state_at_ms } else { NOW_MS };
    assert_eq!(after.state_at_ms, entered);
    let rest = |job: &Job| (job.id, job.origin.clone(), job.spec.clone(), job.filter.clone(), job.priority);
    assert_eq!(rest(after), rest(before));
    assert_eq!(after.created_at_ms, before.created_at_ms);
}

#[test]
fn every_state_answers_every_event_as_the_table_says() {
    let cases = cases();
    let mut wrong = Vec::new();
    for (job_name, start) in &cases.jobs {
        for (event_name, event) in &cases.events {
            let before = job(start);
            let expected = cases.table.get(job_name).and_then(|row| row.get(event_name));
            let found = match transition(&before, event, NOW_MS) {
                Ok(after) => {
                    check_bookkeeping(&before, &after);
                    in_words(&before, &after)
                }
                Err(illegal) => {
                    assert_eq!((illegal.state, illegal.event), (before.state.name(), event.name()));
                    "illegal".to_owned()
                }
            };
            if expected != Some(&found) {
                wrong.push(format!("{job_name} × {event_name}: found `{found}`, expected {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_state_every_event_and_no_row_too_many() {
    let cases = cases();
    let states: BTreeSet<&str> = cases.jobs.values().map(|start| start.state.name()).collect();
    let live = ["queued", "assigned", "starting", "running"];
    let all_states: BTreeSet<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain(live).collect();
    assert_eq!(states, all_states);
    let kinds: BTreeSet<usize> = cases.events.values().map(place).collect();
    assert_eq!(kinds, (0..12).collect());
    assert!(cases.table.keys().eq(cases.jobs.keys()));
    for (job_name, row) in &cases.table {
        assert!(row.keys().eq(cases.events.keys()), "{job_name}");
    }
}

/// Does not compile when an event is added, until the table above is extended too.
fn place(event: &JobEvent) -> usize {
    match event {
        JobEvent::Assigned { .. } => 0,
        JobEvent::Unassigned { .. } => 1,
        JobEvent::StartIntended => 2,
        JobEvent::Started => 3,
        JobEvent::NeverStarted { .. } => 4,
        JobEvent::PlacementsExhausted { .. } => 5,
        JobEvent::Exited { .. } => 6,
        JobEvent::LostProven { .. } => 7,
        JobEvent::CancelRequested { .. } => 8,
        JobEvent::Expired => 9,
        JobEvent::Abandoned { .. } => 10,
        JobEvent::RequeuedAfterLoss { .. } => 11,
    }
}
