//! The pool: warm connections, slots, shared attempts.

use std::time::Duration;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{ConnectError, Lease, Pool, Target, generate_runner_key};
use shuntyard_domain::ids::RunnerId;
use uuid::Uuid;

use super::{PATIENCE, expect_logged, limits};
use crate::support::sshd::{HostSpec, TestHost, wait_until};

pub(super) fn target(host: &TestHost) -> Target {
    Target {
        runner: RunnerId(Uuid::now_v7()),
        dial: host.dial("deploy"),
        host_keys: host.host_keys.clone(),
        key: host.client_key.clone(),
    }
}

async fn echo(lease: &mut Lease) {
    assert_eq!(lease.exec("echo hi", Vec::new(), limits()).await.unwrap().stdout, b"hi\n");
}

#[tokio::test]
async fn many_callers_at_once_share_one_connection_and_one_error() {
    let host = TestHost::start(HostSpec::default());
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    let leases = (0..8).map(|_| async {
        let mut lease = pool.lease_job(&target).await.unwrap();
        echo(&mut lease).await;
    });
    futures_util::future::join_all(leases).await;
    expect_logged(&host, "Accepted publickey", 1).await;
    assert_eq!(pool.connection_count(target.runner), 1);

    let mut changed = target.clone();
    changed.host_keys = vec![generate_runner_key("x").unwrap().1];
    let before = host.log().matches("Connection from").count();
    let errors = futures_util::future::join_all((0..8).map(|_| pool.lease_job(&changed))).await;
    for error in errors {
        assert!(matches!(error, Err(ConnectError::HostKeyMismatch { .. })));
    }
    assert_eq!(host.log().matches("Connection from").count(), before + 1);
    expect_logged(&host, "Accepted publickey", 1).await;
}

#[tokio::test]
async fn jobs_beyond_the_eighth_get_a_second_connection_and_services_still_have_room() {
    let host = TestHost::start(HostSpec::default());
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    let mut running = Vec::new();
    for _ in 0..11 {
        let mut lease = pool.lease_job(&target).await.unwrap();
        running.push(lease.open("exec cat").await.unwrap());
    }
    assert_eq!(pool.connection_count(target.runner), 2);
    echo(&mut pool.lease_service(&target).await.unwrap()).await;
    assert_eq!(host.log().matches("no more sessions").count(), 0, "{}", host.log());
    drop(running);
    // Slots come back when the processes have ended, so that no third connection is needed for the same number again.
    let no_cat = || host.run_inside("pgrep -x cat || :").is_empty();
    wait_until("no `cat` runs", PATIENCE, no_cat).await;
    for _ in 0..11 {
        let mut lease = pool.lease_job(&target).await.unwrap();
        echo(&mut lease).await;
    }
    assert_eq!(pool.connection_count(target.runner), 2);
}

#[tokio::test]
async fn a_host_with_fewer_sessions_than_usual_is_learnt_instead_of_failing() {
    let host = TestHost::start(HostSpec { max_sessions: 2, ..HostSpec::default() });
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    let mut running = Vec::new();
    for _ in 0..5 {
        let mut lease = pool.lease_job(&target).await.unwrap();
        running.push(lease.open("exec cat").await.unwrap());
    }
    echo(&mut pool.lease_service(&target).await.unwrap()).await;
    let cats = host.run_inside("pgrep -x cat | wc -l");
    assert_eq!(cats, "5");
    // One refusal has taught it, for the connections made since too.
    assert_eq!(pool.sessions_learnt(target.runner), Some(2));
    assert_eq!(host.log().matches("no more sessions").count(), 1, "{}", host.log());
}

#[tokio::test]
async fn a_slot_counts_as_taken_until_the_host_closes_the_channel() {
    let host = TestHost::start(HostSpec::default());
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    let mut channels = Vec::new();
    for _ in 0..8 {
        let mut lease = pool.lease_job(&target).await.unwrap();
        channels.push(lease.open("exec cat").await.unwrap());
        drop(lease);
    }
    let mut ninth = Box::pin(pool.lease_job(&target));
    let early = tokio::time::timeout(Duration::from_millis(1), &mut ninth).await;
    assert!(early.is_err(), "the ninth job has to wait for a connection or a slot");
    channels.pop().unwrap().input.eof().await.unwrap();
    tokio::time::timeout(PATIENCE, ninth).await.expect("in time").unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_told_and_made_again() {
    let host = TestHost::start(HostSpec::default());
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    pool.connection_closed(target.runner).await;
    pool.warm(&target).await.unwrap();
    assert!(pool.is_connected(target.runner));
    let told = pool.connection_closed(target.runner);
    tokio::pin!(told);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut told).await.is_err());
    host.kill_sshd();
    tokio::time::timeout(PATIENCE, told).await.expect("the loss is told");
    assert!(!pool.is_connected(target.runner));
    assert!(matches!(pool.lease_job(&target).await, Err(ConnectError::Tcp { .. })));
    host.restart();
    echo(&mut pool.lease_job(&target).await.unwrap()).await;
}

#[tokio::test]
async fn a_forgotten_runner_and_a_closed_pool_leave_no_connection() {
    let host = TestHost::start(HostSpec::default());
    let (pool, target) = (Pool::new(&Tasks::new()), target(&host));
    let gone = || host.run_inside("pgrep -f 'sshd[:] deploy' || true").is_empty();
    pool.warm(&target).await.unwrap();
    pool.forget(target.runner);
    wait_until("the forgotten runner's connection ends", PATIENCE, gone).await;
    pool.warm(&target).await.unwrap();
    assert!(!gone());
    pool.close().await;
    wait_until("the pool's connections end", PATIENCE, gone).await;
}

#[tokio::test]
async fn a_crowd_of_cold_connects_is_paced() {
    let host =
        TestHost::start(HostSpec { sshd_lines: vec!["MaxStartups 10:100:10".to_owned()], ..HostSpec::default() });
    let pool = Pool::new(&Tasks::new());
    let targets: Vec<Target> = (0..20).map(|_| target(&host)).collect();
    let made = futures_util::future::join_all(targets.iter().map(|t| pool.warm(t))).await;
    for session in made {
        session.unwrap();
    }
    expect_logged(&host, "Accepted publickey", 20).await;
}
