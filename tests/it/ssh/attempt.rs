//! The wrapper's verbs over a real connection.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::attempt::{self, Attempt, AttemptEvent, FenceAnswer, GoneWhy};
use shuntyard::ssh::{Lease, Pool, Target};
use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::{ErrCode, Receipt, ResultRecord, SpoolState};
use shuntyard_domain::wire::frame::{Frame, Word};
use shuntyard_domain::wrapper::{WRAPPER, wrapper_version};
use uuid::Uuid;

use super::pool::target;
use crate::support::sshd::{HostSpec, LoginShell, TestHost};

/// A host with a wrapper and a pool to it.
struct Rig {
    host: TestHost,
    pool: Pool,
    target: Target,
    wrapper: String,
}

impl Rig {
    async fn new(spec: HostSpec) -> Self {
        let host = TestHost::start(spec);
        let wrapper = format!("/home/deploy/base/wrapper-{}", wrapper_version());
        host.run_inside("mkdir -m 700 /home/deploy/base");
        fs::write(host.path(&wrapper), WRAPPER).unwrap();
        host.run_inside("chown -R deploy: /home/deploy/base");
        let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
        let rig = Self { host, pool, target, wrapper };
        attempt::hello(&mut rig.service().await, &rig.wrapper).await.unwrap();
        rig
    }

    async fn service(&self) -> Lease {
        self.pool.lease_service(&self.target).await.unwrap()
    }

    async fn start(&self, id: AttemptId, script: &str) -> Attempt {
        let spec = JobSpec { stop_grace_s: 2, ..JobSpec::shell(script) };
        let frame = Frame { spec: &spec, env: &BTreeMap::new() }.encode().unwrap();
        let mut lease = self.pool.lease_job(&self.target).await.unwrap();
        attempt::start(&mut lease, &self.wrapper, id, frame, 0).await.unwrap()
    }

    async fn attach(&self, id: AttemptId, offset: u64) -> Attempt {
        let mut lease = self.pool.lease_job(&self.target).await.unwrap();
        attempt::attach(&mut lease, &self.wrapper, id, offset).await.unwrap()
    }
}

fn new_id() -> AttemptId {
    AttemptId { job: JobId(Uuid::now_v7()), attempt: 1 }
}

/// Waits for the next event that is not output; output goes to `bytes`.
async fn next(attempt: &mut Attempt, bytes: &mut Vec<u8>) -> AttemptEvent {
    let next = async {
        loop {
            match attempt.events.recv().await.expect("an event") {
                AttemptEvent::Output(piece) => bytes.extend_from_slice(&piece),
                other => return other,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("an event in time")
}

/// Receives until `bytes` has `size` bytes.
async fn fill(attempt: &mut Attempt, bytes: &mut Vec<u8>, size: u64) {
    while (bytes.len() as u64) < size {
        match attempt.events.recv().await {
            Some(AttemptEvent::Output(piece)) => bytes.extend_from_slice(&piece),
            other => panic!("{other:?} after {} of {size} bytes", bytes.len()),
        }
    }
}

/// Follows to the end: all output, acknowledged and removed.
async fn finish(mut attempt: Attempt, bytes: &mut Vec<u8>) -> ResultRecord {
    let result = loop {
        match next(&mut attempt, bytes).await {
            AttemptEvent::Ended(result) => break result,
            AttemptEvent::Started { .. } | AttemptEvent::Attached { .. } | AttemptEvent::Receipt(_) => {}
            other => panic!("{other:?}"),
        }
    };
    fill(&mut attempt, bytes, result.size).await;
    attempt.input.send(Word::Ack { remove: true }).await.unwrap();
    attempt.input.eof().await.unwrap();
    assert_eq!(next(&mut attempt, bytes).await, AttemptEvent::Gone { why: GoneWhy::Closed });
    assert_eq!(attempt.events.recv().await, None);
    result
}

fn cksum(bytes: &[u8]) -> u32 {
    let mut sum = Cksum::default();
    sum.update(bytes);
    sum.value()
}

#[tokio::test]
async fn a_job_runs_streams_and_is_removed_under_every_login_shell() {
    for shell in [LoginShell::Sh, LoginShell::NoisyBash, LoginShell::Fish] {
        let rig = Rig::new(HostSpec { shell, ..HostSpec::default() }).await;
        let id = new_id();
        let attempt = rig.start(id, "echo one; echo two >&2; exit 7").await;
        let mut bytes = Vec::new();
        let result = finish(attempt, &mut bytes).await;
        assert_eq!(String::from_utf8_lossy(&bytes), "one\ntwo\n", "{shell:?}");
        assert_eq!((result.exit_code, result.size, result.cksum), (7, 8, cksum(&bytes)), "{shell:?}");
        assert_eq!(attempt::status(&mut rig.service().await, &rig.wrapper).await.unwrap(), []);
        assert_eq!(rig.pool.connection_count(rig.target.runner), 1);
    }
}

#[tokio::test]
async fn a_cut_connection_costs_no_byte_and_the_job_goes_on() {
    let rig = Rig::new(HostSpec::default()).await;
    let id = new_id();
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $i -ne 1500 ] || sleep 1; done";
    let mut attempt = rig.start(id, script).await;
    let mut bytes = Vec::new();
    assert!(matches!(next(&mut attempt, &mut bytes).await, AttemptEvent::Started { .. }));
    fill(&mut attempt, &mut bytes, 2000).await;
    rig.host.kill_sshd();
    let gone = next(&mut attempt, &mut bytes).await;
    assert_eq!(gone, AttemptEvent::Gone { why: GoneWhy::Disconnected });
    rig.host.restart();
    let attempt = rig.attach(id, bytes.len() as u64).await;
    let result = finish(attempt, &mut bytes).await;
    let expected: String = (0..3000).map(|n| format!("line {n}\n")).collect();
    assert!(bytes == expected.as_bytes(), "{} of {} bytes", bytes.len(), expected.len());
    assert_eq!((result.exit_code, result.cksum), (0, cksum(&bytes)));
}

#[tokio::test]
async fn a_cancel_that_is_sent_before_the_start_is_seen_stops_the_whole_tree() {
    let rig = Rig::new(HostSpec::default()).await;
    let mut attempt = rig.start(new_id(), "sleep 4321 & sleep 4321; wait").await;
    attempt.input.send(Word::Cancel { grace_s: Some(1) }).await.unwrap();
    let result = finish(attempt, &mut Vec::new()).await;
    assert_eq!(result.stopped, Some(StopReason::User));
    assert_eq!(rig.host.run_inside("pgrep -f '[s]leep 4321' || true"), "");
}

#[tokio::test]
async fn starting_twice_attaches_and_bye_leaves_the_job_running() {
    let rig = Rig::new(HostSpec::default()).await;
    let (id, mut bytes) = (new_id(), Vec::new());
    let script = "echo started; while [ ! -e \"$HOME/go\" ]; do sleep 0.05; done; echo done";
    let mut first = rig.start(id, script).await;
    assert!(matches!(next(&mut first, &mut bytes).await, AttemptEvent::Started { .. }));
    fill(&mut first, &mut bytes, 8).await;
    first.input.send(Word::Bye).await.unwrap();
    assert_eq!(next(&mut first, &mut bytes).await, AttemptEvent::Gone { why: GoneWhy::Closed });
    let mut second = rig.start(id, script).await;
    let mut again = Vec::new();
    assert!(matches!(next(&mut second, &mut again).await, AttemptEvent::Attached { .. }));
    let listed = attempt::status(&mut rig.service().await, &rig.wrapper).await.unwrap();
    assert!(matches!(listed[..], [(listed, SpoolState::Run { .. })] if listed == id), "{listed:?}");
    rig.host.run_inside("touch /home/deploy/go");
    let result = finish(second, &mut again).await;
    assert_eq!((result.exit_code, &again[..]), (0, &b"started\ndone\n"[..]));
}

#[tokio::test]
async fn fenced_unknown_and_refused_attempts_are_told_apart() {
    let rig = Rig::new(HostSpec::default()).await;
    let (mut service, mut bytes) = (rig.service().await, Vec::new());
    let fenced = new_id();
    assert_eq!(attempt::fence(&mut service, &rig.wrapper, fenced).await.unwrap(), FenceAnswer::Fenced);
    let mut late = rig.start(fenced, "echo never").await;
    assert_eq!(next(&mut late, &mut bytes).await, AttemptEvent::Fenced);
    let mut unknown = rig.attach(new_id(), 0).await;
    assert_eq!(next(&mut unknown, &mut bytes).await, AttemptEvent::Unknown);
    let mut lease = rig.pool.lease_job(&rig.target).await.unwrap();
    let mut bad = attempt::start(&mut lease, &rig.wrapper, new_id(), b"9 0 0\n".to_vec(), 0).await.unwrap();
    let refused = next(&mut bad, &mut bytes).await;
    assert!(matches!(refused, AttemptEvent::Refused { code: ErrCode::Magic, .. }), "{refused:?}");
    assert!(bytes.is_empty());
    assert!(attempt::hello(&mut service, "/home/deploy/base/no wrapper").await.is_err());
    let error = attempt::hello(&mut service, "/home/deploy/base/none").await.unwrap_err();
    assert!(matches!(error, attempt::VerbError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_kill_from_another_channel_answers_with_a_receipt_and_files_are_removed_on_request() {
    let rig = Rig::new(HostSpec::default()).await;
    let (id, mut bytes) = (new_id(), Vec::new());
    let mut running = rig.start(id, "echo up; sleep 4322").await;
    assert!(matches!(next(&mut running, &mut bytes).await, AttemptEvent::Started { .. }));
    fill(&mut running, &mut bytes, 3).await;
    let mut service = rig.service().await;
    assert_eq!(attempt::remove(&mut service, &rig.wrapper, &[id]).await.unwrap(), []);
    let answer = attempt::kill(&mut service, &rig.wrapper, id, 1).await.unwrap();
    assert!(matches!(answer.state, Some(SpoolState::End(r)) if r.stopped == Some(StopReason::User)), "{answer:?}");
    assert!(matches!(answer.receipt.last(), Some(Receipt::Left { pids }) if pids.is_empty()), "{answer:?}");
    drop(running);
    assert_eq!(attempt::remove(&mut service, &rig.wrapper, &[id]).await.unwrap(), [id]);
    let hello = attempt::hello(&mut service, &rig.wrapper).await.unwrap();
    assert_eq!((hello.wrapper_version, hello.base_dir.as_str()), (wrapper_version(), "/home/deploy/base"));
}
