//! Jobs and runners to store.

use std::collections::{BTreeMap, BTreeSet};

use shuntyard::store::{Connection, Expected, StoreError, job_apply, job_insert};
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent, JobOrigin, JobSpec, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence, StopReason};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::runner::{Endpoint, Health, Installation, OneOff, Runner, RunnerState, Scope, StateNote};
use shuntyard_domain::via::Via;
use uuid::Uuid;

pub const RUNNER: RunnerId = RunnerId(Uuid::from_u128(0x77));

/// A queued job with every field away from its default.
pub fn job(number: u128) -> Job {
    Job {
        id: JobId(Uuid::from_u128(number)),
        origin: JobOrigin {
            enterprise: "default".into(),
            org: "acme".into(),
            project: "hello".into(),
            stage: Some(Stage::Verify),
            phase: Some(Phase::Unit),
            phase_run: None,
            row: 2,
            title: "unit {\"platform\":[\"ubuntu\"]} – ö".into(),
        },
        spec: JobSpec {
            env: BTreeMap::from([("A".into(), "it's \"1\"\n\u{0}".into())]),
            run_limit_s: Some(60),
            silence_limit_s: Some(30),
            orphan_grace_s: Some(5),
            ..JobSpec::shell("make test\n")
        },
        filter: Filter { platform: vec!["ubuntu".into(), "debian".into()], ..Filter::default() },
        priority: -3,
        state: JobState::Queued,
        attempt: 0,
        version: 0,
        created_at_ms: 1_700_000_000_000,
        state_at_ms: 1_700_000_000_000,
        cancel: None,
        finished_at_ms: None,
    }
}

pub fn runner(number: u128, hostname: &str) -> Runner {
    Runner {
        id: RunnerId(Uuid::from_u128(number)),
        hostname: hostname.into(),
        endpoint: Endpoint {
            address: "192.0.2.7".into(),
            port: 2222,
            user: "job_runner".into(),
            host_keys: vec!["ssh-ed25519 AAAA".into()],
            via: Via::default(),
        },
        openssh_public_key: format!("ssh-ed25519 AAAB job_runner@{hostname}\n"),
        installation: Installation {
            wrapper_path: "/var/lib/shuntyard/wrapper-1".into(),
            base_dir: "/var/lib/shuntyard".into(),
            wrapper_version: "1".into(),
            instance_id: "i-1".into(),
            boot_id: "b-1".into(),
            system_mode: true,
            tools: BTreeSet::from(["tail".into(), "setsid".into()]),
            local: false,
            stop_means: vec!["cgroup".into(), "group".into()],
        },
        facts: Facts {
            os: "linux".into(),
            platform: "debian".into(),
            cpus: 2,
            memory_bytes: 1 << 40,
            ..Facts::default()
        },
        labels: BTreeSet::from(["gpu".into(), "region=eu".into()]),
        capabilities: BTreeSet::from(["docker".into()]),
        scope: Scope::Org("acme".into()),
        slots: 4,
        one_off: Some(OneOff { job: Some(JobId(Uuid::from_u128(9))) }),
        pool: Some("cloud".into()),
        state: RunnerState::Enrolled,
        state_note: Some(StateNote { at_ms: 1_700_000_000_002, by: "admin".into(), reason: Some("back".into()) }),
        health: Health::Ok { command_output: "ok\n".into() },
        created_at_ms: 1_700_000_000_000,
        last_seen_at_ms: Some(1_700_000_000_001),
        version: 0,
    }
}

pub fn log(bytes: u64) -> LogSummary {
    LogSummary { bytes, cksum: u32::MAX, truncated: false, elided_bytes: bytes / 3 }
}

/// Ways through the state machine that end in every state; the last word names the state.
pub fn histories() -> Vec<(&'static str, Vec<JobEvent>)> {
    use JobEvent as E;
    let to_starting = || vec![E::Assigned { runner: RUNNER }, E::StartIntended];
    let and = |mut events: Vec<JobEvent>, event| {
        events.push(event);
        events
    };
    let to_running = || and(to_starting(), E::Started);
    let cancel = || E::CancelRequested { by: "ada".into(), reason: StopReason::User };
    let exited = |exit_code, stopped| E::Exited { exit_code, stopped, log: log(1 << 40) };
    vec![
        ("queued", vec![]),
        ("assigned", vec![E::Assigned { runner: RUNNER }]),
        ("starting", to_starting()),
        ("running", to_running()),
        ("running", and(to_running(), cancel())),
        ("queued", and(to_starting(), E::NeverStarted { why: "refused: busy".into() })),
        ("cancelled", and(and(to_starting(), cancel()), E::NeverStarted { why: "fenced".into() })),
        ("succeeded", and(to_running(), exited(0, None))),
        ("failed", and(to_running(), exited(3, None))),
        ("failed", and(to_running(), exited(0, Some(StopReason::DiskFull)))),
        ("failed", and(to_running(), exited(143, Some(StopReason::OutputLimit)))),
        ("failed", and(to_starting(), E::PlacementsExhausted { why: "5 hosts refused".into() })),
        ("cancelled", vec![cancel()]),
        ("cancelled", and(and(to_running(), cancel()), exited(143, Some(StopReason::User)))),
        ("cancelled", and(to_running(), exited(0, Some(StopReason::Orphaned)))),
        ("timed_out", and(to_running(), exited(143, Some(StopReason::RunLimit)))),
        ("timed_out", and(to_running(), exited(143, Some(StopReason::SilenceLimit)))),
        ("lost", and(to_starting(), E::LostProven { evidence: LostEvidence::Rebooted, log: log(0) })),
        ("lost", and(to_running(), E::LostProven { evidence: LostEvidence::SpoolGone, log: log(9) })),
        ("expired", vec![E::Expired]),
        ("abandoned", vec![E::Abandoned { by: "root".into() }]),
        ("abandoned", and(to_running(), E::Abandoned { by: "root".into() })),
    ]
}

/// Inserts a job per history, numbered from 1, and takes each through its events.
pub fn insert_histories(c: &mut Connection) -> Result<Vec<Job>, StoreError> {
    let mut jobs = Vec::new();
    for (number, (_, events)) in (1..).zip(histories()) {
        let mut now = job(number);
        job_insert(c, &now)?;
        for (at_ms, event) in (1_700_000_000_001..).zip(events) {
            now = job_apply(c, now.id, Expected::Version(now.version), &event, at_ms).expect("a legal history");
        }
        jobs.push(now);
    }
    Ok(jobs)
}
