//! Jump hosts: one connection for many runners, and what they cannot do to one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{
    Carrier as _, ConnectError, Dial, Jump, JumpLogin, Lease, Pool, Route, Settings, Target, generate_runner_key,
};
use shuntyard_domain::ids::RunnerId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{PATIENCE, expect_logged, limits, pool};
use crate::support::sshd::{Fault, HostSpec, TestHost, free_port, wait_until};

fn bastion(lines: &[&str]) -> TestHost {
    let sshd_lines = lines.iter().map(|line| (*line).to_owned()).collect();
    TestHost::start(HostSpec { hostname: "bastion".into(), sshd_lines, ..HostSpec::default() })
}

fn login(host: &TestHost, route: Route, hops_before: usize) -> JumpLogin {
    JumpLogin {
        name: host.spec.hostname.clone(),
        dial: Dial { route, ..host.dial("deploy") },
        host_keys: host.host_keys.clone(),
        key: host.client_key.clone(),
        hops_before,
    }
}

fn jump(pool: &Pool, host: &TestHost) -> Arc<Jump> {
    Arc::new(pool.jump_host(login(host, Route::Direct, 0)))
}

/// A runner of its own on the same host, by way of the jump host.
fn behind(host: &TestHost, jump: &Arc<Jump>) -> Target {
    let dial = Dial { route: Route::Carried(jump.clone()), ..host.dial("deploy") };
    Target { runner: RunnerId(Uuid::now_v7()), dial, ..pool::target(host) }
}

async fn echo(lease: &mut Lease) {
    assert_eq!(lease.exec("echo hi", Vec::new(), limits()).await.unwrap().stdout, b"hi\n");
}

/// A server on the machine's loopback, which the jump host reaches.
async fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn fifty_runners_behind_a_jump_host_share_one_connection_to_it() {
    let bastion = bastion(&[]);
    let host = TestHost::start(HostSpec::default());
    let pool = Pool::new(&Tasks::new());
    let jump = jump(&pool, &bastion);
    let leases = (0..50).map(|_| async {
        let target = behind(&host, &jump);
        let mut lease = pool.lease_job(&target).await.unwrap_or_else(|error| panic!("{error}"));
        echo(&mut lease).await;
        lease
    });
    let leases = futures_util::future::join_all(leases).await;
    assert_eq!(jump.carried_now(), 50);
    expect_logged(&bastion, "Accepted publickey", 1).await;
    expect_logged(&host, "Accepted publickey", 50).await;
    drop(leases);
    pool.close().await;
}

#[tokio::test]
async fn a_host_behind_two_jump_hosts_in_networks_of_their_own_is_reached() {
    let first = TestHost::start(HostSpec { hostname: "first".into(), own_network: true, ..HostSpec::default() });
    let inner = |name: &str| {
        let network_of = Some(first.network());
        TestHost::start(HostSpec { hostname: name.into(), network_of, ..HostSpec::default() })
    };
    let (second, host) = (inner("second"), inner("host"));
    let pool = Pool::new(&Tasks::new());
    let route = Route::Carried(jump(&pool, &first));
    let last = Arc::new(pool.jump_host(login(&second, route, 1)));
    echo(&mut pool.lease_job(&behind(&host, &last)).await.unwrap_or_else(|error| panic!("{error}"))).await;
    expect_logged(&first, "Accepted publickey", 1).await;
    expect_logged(&second, "Accepted publickey", 1).await;
    let direct = pool.lease_job(&pool::target(&host)).await.err().expect("it is not reached without them");
    assert!(matches!(direct, ConnectError::Tcp { .. }), "{direct}");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_and_one_that_is_not_read_there_stop_no_other() {
    let (bastion, host) = (bastion(&[]), TestHost::start(HostSpec::default()));
    let settings = Settings { max_queued_bytes: 1 << 20, ..Settings::default() };
    let pool = Pool::with_settings(&Tasks::new(), settings);
    let jump = jump(&pool, &bastion);
    let mut lease = pool.lease_job(&behind(&host, &jump)).await.unwrap();

    let (listener, port) = server().await;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let spill = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let piece = vec![b'x'; 64 << 10];
        while stream.write_all(&piece).await.is_ok() {
            counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    };
    let (deaf, deaf_port) = server().await;
    let hold = async move {
        let held = deaf.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(held);
    };
    let look = async {
        let mut unread = jump.open("127.0.0.1", port).await.unwrap();
        let mut untaken = jump.open("127.0.0.1", deaf_port).await.unwrap();
        let piece = vec![b'y'; 64 << 10];
        let stuck = async { while untaken.write_all(&piece).await.is_ok() {} };
        let stuck = tokio::time::timeout(Duration::from_secs(2), stuck).await;
        assert!(stuck.is_err(), "somebody has read what nobody reads");
        wait_until("more came than may wait", PATIENCE, || sent.load(Ordering::Relaxed) > 5 << 20).await;
        for _ in 0..5 {
            echo(&mut lease).await;
        }
        let mut read = Vec::new();
        let end = unread.read_to_end(&mut read).await;
        assert!(end.is_err() && read.len() > 1 << 20, "{end:?} after {} bytes", read.len());
        expect_logged(&bastion, "Accepted publickey", 1).await;
    };
    tokio::select! {
        () = look => {}
        () = async { tokio::join!(spill, hold); } => unreachable!("one of them is held"),
    }
}

#[tokio::test]
async fn a_jump_host_that_may_not_forward_says_so_and_so_does_one_that_cannot_reach_the_host() {
    let (closed, open) = (bastion(&["AllowTcpForwarding no"]), bastion(&[]));
    let pool = Pool::new(&Tasks::new());
    let error = jump(&pool, &closed).open("127.0.0.1", open.port).await.err().unwrap();
    let told = error.to_string();
    assert!(matches!(error, ConnectError::Carried { .. }) && told.contains("AllowTcpForwarding"), "{told}");
    assert!(told.starts_with(&format!("jump host bastion does not reach 127.0.0.1:{}", open.port)), "{told}");
    let error = jump(&pool, &open).open("127.0.0.1", free_port()).await.err().unwrap();
    assert!(matches!(error, ConnectError::Carried { .. }), "{error:?}");
    assert!(error.to_string().contains("it cannot connect there") && error.may_pass_later(), "{error}");
}

#[tokio::test]
async fn a_wrong_key_or_a_refused_login_is_the_jump_hosts_error_and_is_tried_once_for_all() {
    let (bastion, host) = (bastion(&[]), TestHost::start(HostSpec::default()));
    let pool = Pool::new(&Tasks::new());
    let (private, public) = generate_runner_key("x").unwrap();
    let sound = login(&bastion, Route::Direct, 0);
    let stranger = Arc::new(shuntyard::ssh::load_private_key(&private, None).unwrap());
    let cases = [
        (JumpLogin { host_keys: vec![public], ..sound.clone() }, "shows a host key that is not the expected one"),
        (JumpLogin { key: stranger, ..sound }, "refused the key of user deploy"),
    ];
    for (login, said) in cases {
        let jump = Arc::new(pool.jump_host(login));
        let before = bastion.log().matches("Connection from").count();
        for _ in 0..3 {
            let all = futures_util::future::join_all((0..20).map(|_| async {
                let target = behind(&host, &jump);
                pool.lease_job(&target).await.err().unwrap()
            }));
            for error in all.await {
                let told = error.to_string();
                assert!(matches!(error, ConnectError::CarrierDown { .. }), "{error:?}");
                assert!(told.starts_with("jump host bastion is not connected") && told.contains(said), "{told}");
            }
        }
        assert_eq!(bastion.log().matches("Connection from").count(), before + 1, "{}", bastion.log());
    }
    assert_eq!(host.log().matches("Connection from").count(), 0);
}

#[tokio::test]
async fn a_jump_host_that_falls_silent_is_noticed_and_one_new_connection_serves_all() {
    let bastion = TestHost::start(HostSpec { hostname: "bastion".into(), own_network: true, ..HostSpec::default() });
    let network_of = Some(bastion.network());
    let host = TestHost::start(HostSpec { network_of, ..HostSpec::default() });
    let pool = Pool::new(&Tasks::new());
    let jump = jump(&pool, &bastion);
    let targets: Vec<Target> = (0..8).map(|_| behind(&host, &jump)).collect();
    for target in &targets {
        drop(pool.lease_job(target).await.unwrap());
    }
    bastion.fail_cable(Fault::Silence);
    for target in &targets {
        let closed = tokio::time::timeout(PATIENCE, pool.connection_closed(target.runner)).await;
        assert!(closed.is_ok(), "the connection through a silent jump host stays up");
    }
    bastion.mend_cable();
    let again = targets.iter().map(|target| async {
        while let Err(error) = pool.lease_job(target).await {
            assert!(error.may_pass_later(), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let again = tokio::time::timeout(PATIENCE, futures_util::future::join_all(again)).await;
    assert!(again.is_ok(), "they do not come back");
    expect_logged(&bastion, "Accepted publickey", 2).await;
}
