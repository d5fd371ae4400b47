//! Peers that are silent, slow, gone or killed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{ChannelEvent, ConnectError, Credential, Dial, HostKeyPolicy, Phase, Session, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{PATIENCE, connected, limits};
use crate::support::sshd::{HostSpec, TestHost, wait_until};

/// What a broken server does with a connection.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Silent,
    DripsBanner,
    DripsIgnores,
}

async fn broken_server(peer: Peer) -> (u16, tokio::task::JoinHandle<bool>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[allow(clippy::disallowed_methods)]
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut started = false;
        let mut sink = [0; 4096];
        loop {
            let piece: &[u8] = match (peer, started) {
                (Peer::Silent, _) => b"",
                (Peer::DripsBanner, _) => b"x",
                (Peer::DripsIgnores, false) => b"SSH-2.0-drip\r\n",
                (Peer::DripsIgnores, true) => &[0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            };
            started = true;
            if stream.write_all(piece).await.is_err() {
                return true;
            }
            let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut sink)).await;
            if let Ok(Ok(0) | Err(_)) = read {
                return true;
            }
        }
    });
    (port, server)
}

#[tokio::test]
async fn one_deadline_ends_every_way_of_stalling_a_connection() {
    for peer in [Peer::Silent, Peer::DripsBanner, Peer::DripsIgnores] {
        let (port, server) = broken_server(peer).await;
        let dial = Dial::direct("127.0.0.1".to_owned(), port, "deploy".to_owned());
        let settings = Settings { connect_deadline: Duration::from_secs(1), ..Settings::default() };
        let credential = Credential::Password("x".to_owned().into());
        let began = Instant::now();
        let policy = HostKeyPolicy::Unknown;
        let error = Session::connect_with(&dial, &credential, &policy, &Tasks::new(), &settings).await.err();
        let Some(ConnectError::Deadline { phase, .. }) = &error else { panic!("{peer:?}: {error:?}") };
        assert_eq!(*phase, Phase::KeyExchange, "{peer:?}");
        assert!(began.elapsed() < 15 * settings.connect_deadline, "{peer:?}: {:?}", began.elapsed());
        // The socket is really gone, also where russh had a task of its own on it.
        let gone = tokio::time::timeout(PATIENCE, server).await;
        assert!(matches!(gone, Ok(Ok(true))), "{peer:?}: the connection is still open");
    }
}

#[tokio::test]
async fn a_killed_sshd_is_a_disconnect_and_ends_the_session() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let mut channel = session.open("echo up; exec sleep 1000").await.unwrap();
    assert_eq!(channel.events.recv().await, Some(ChannelEvent::Stdout(Bytes::from_static(b"up\n"))));
    host.kill_sshd();
    let ended = async {
        while let Some(event) = channel.events.recv().await {
            if event == ChannelEvent::Disconnected {
                return;
            }
        }
        panic!("the channel ended without saying Disconnected");
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the channel notices");
    tokio::time::timeout(PATIENCE, session.closed()).await.expect("the session notices");
    assert!(session.is_closed());
    assert!(session.exec("true", Vec::new(), limits()).await.is_err());
    host.restart();
    connected(&host, &Tasks::new()).await;
}

#[tokio::test]
async fn a_peer_that_stops_answering_is_noticed_also_while_a_write_waits() {
    for write in [false, true] {
        let host = TestHost::start(HostSpec::default());
        let settings = Settings {
            keepalive_interval: Duration::from_millis(300),
            keepalive_max: 2,
            write_stall: Duration::from_secs(1),
            ..Settings::default()
        };
        let key = Credential::Key(host.client_key.clone());
        let tasks = Tasks::new();
        let session =
            Session::connect_with(&host.dial("deploy"), &key, &host.pinned(), &tasks, &settings).await.unwrap();
        let mut channel = session.open("exec cat >/dev/null").await.unwrap();
        channel.input.send(Bytes::from_static(b"x")).await.unwrap();
        let began = Instant::now();
        host.run_inside("pkill -STOP -f 'sshd[:] deploy'");
        if write {
            let sent = channel.input.send(Bytes::from(vec![0; 64 << 20])).await;
            assert!(sent.is_err(), "a stopped host took 64 MiB");
        }
        tokio::time::timeout(PATIENCE, session.closed()).await.expect("the dead peer is noticed");
        assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_session_is_closed_politely_and_when_its_last_user_goes() {
    let host = TestHost::start(HostSpec::default());
    let tasks = Tasks::new();
    let gone = || host.run_inside("pgrep -f 'sshd[:] deploy' || true").is_empty();
    let session = connected(&host, &tasks).await;
    let other = session.clone();
    session.close().await;
    assert!(other.is_closed());
    wait_until("the first connection is gone on the host", PATIENCE, gone).await;
    let session = connected(&host, &tasks).await;
    let channel = session.open("exec sleep 1000").await.unwrap();
    drop(session);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!gone(), "a channel keeps its connection");
    drop(channel);
    wait_until("the second connection is gone on the host", PATIENCE, gone).await;
    let session = connected(&host, &tasks).await;
    assert!(tasks.stop(PATIENCE).await, "the tasks end");
    assert!(session.is_closed());
}
