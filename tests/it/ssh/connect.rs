//! Connecting: credentials, host keys, refusals.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{
    ConnectError, Credential, Dial, HostKeyPolicy, Session, fingerprint, generate_runner_key, load_private_key,
};
use zeroize::Zeroizing;

use super::{connected, expect_logged, limits};
use crate::support::sshd::{BOB_PASSWORD, HostSpec, TestHost, free_port};

fn password(text: &str) -> Credential {
    Credential::Password(Zeroizing::new(text.to_owned()))
}

/// Connects and is refused.
async fn refused(dial: &Dial, credential: &Credential, policy: &HostKeyPolicy) -> ConnectError {
    match Session::connect(dial, credential, policy, &Tasks::new()).await {
        Ok(_) => panic!("{dial:?} was connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_key_and_a_password_both_open_a_session() {
    let host = TestHost::start(HostSpec::default());
    let tasks = Tasks::new();
    let by_key = connected(&host, &tasks).await;
    assert_eq!(by_key.exec("id -un", Vec::new(), limits()).await.unwrap().stdout, b"deploy\n");
    assert_eq!(by_key.host_key_line(), host.host_keys[0]);
    let pinned = host.pinned();
    let by_password = Session::connect(&host.dial("bob"), &password(BOB_PASSWORD), &pinned, &tasks).await.unwrap();
    assert_eq!(by_password.exec("id -un", Vec::new(), limits()).await.unwrap().stdout, b"bob\n");
}

#[tokio::test]
async fn a_wrong_password_is_refused_fast_and_tried_once() {
    let host = TestHost::start(HostSpec::default());
    let began = Instant::now();
    let error = refused(&host.dial("deploy"), &password("not-the-password"), &host.pinned()).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let ConnectError::AuthRefused { user, method, server_offers, .. } = &error else { panic!("{error:?}") };
    assert_eq!((user.as_str(), *method), ("deploy", "password"));
    assert!(server_offers.contains(&"password".to_owned()), "{server_offers:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", host.port)), "{error}");
    expect_logged(&host, "Failed password", 1).await;
}

#[tokio::test]
async fn a_key_that_is_not_authorized_is_refused() {
    let host = TestHost::start(HostSpec::default());
    let (stranger, _) = generate_runner_key("stranger").unwrap();
    let stranger = Credential::Key(Arc::new(load_private_key(&stranger, None).unwrap()));
    let error = refused(&host.dial("deploy"), &stranger, &host.pinned()).await;
    assert!(matches!(error, ConnectError::AuthRefused { method: "key", .. }), "{error:?}");
}

#[tokio::test]
async fn an_unknown_host_key_is_shown_before_anything_is_sent() {
    let host = TestHost::start(HostSpec::default());
    let error = refused(&host.dial("deploy"), &password("secret"), &HostKeyPolicy::Unknown).await;
    let ConnectError::HostKeyUnconfirmed { fingerprint: shown, key_type, .. } = &error else { panic!("{error:?}") };
    assert_eq!((Some(shown.clone()), key_type.as_str()), (fingerprint(&host.host_keys[0]), "ssh-ed25519"));
    nothing_was_sent(&host);
    let confirmed = HostKeyPolicy::Fingerprint(shown.clone());
    let key = Credential::Key(host.client_key.clone());
    assert!(Session::connect(&host.dial("deploy"), &key, &confirmed, &Tasks::new()).await.is_ok());
}

#[tokio::test]
async fn a_host_key_that_is_not_the_pinned_one_sees_no_user_and_no_signature() {
    let host = TestHost::start(HostSpec::default());
    let (_, other) = generate_runner_key("other").unwrap();
    let key = Credential::Key(host.client_key.clone());
    let error = refused(&host.dial("deploy"), &key, &HostKeyPolicy::Pinned(vec![other])).await;
    assert!(matches!(error, ConnectError::HostKeyMismatch { .. }), "{error:?}");
    let fingerprints = HostKeyPolicy::Fingerprint("SHA256:AAAA".to_owned());
    let error = refused(&host.dial("deploy"), &key, &fingerprints).await;
    assert!(matches!(error, ConnectError::HostKeyMismatch { .. }), "{error:?}");
    nothing_was_sent(&host);
}

#[tokio::test]
async fn a_key_of_another_type_than_the_pinned_one_is_a_mismatch() {
    let pinned = TestHost::start(HostSpec { host_key_types: vec!["ed25519"], ..HostSpec::default() });
    let host = TestHost::start(HostSpec { host_key_types: vec!["ecdsa"], ..HostSpec::default() });
    let key = Credential::Key(host.client_key.clone());
    let error = refused(&host.dial("deploy"), &key, &pinned.pinned()).await;
    let ConnectError::HostKeyMismatch { key_type, .. } = &error else { panic!("{error:?}") };
    assert_eq!(key_type, "ecdsa-sha2-nistp256");
    nothing_was_sent(&host);
}

#[tokio::test]
async fn a_pinned_key_is_asked_for_also_when_the_host_prefers_another() {
    let host = TestHost::start(HostSpec::default());
    let ecdsa = host.host_keys.iter().find(|l| l.starts_with("ecdsa")).unwrap().clone();
    let policy = HostKeyPolicy::Pinned(vec![ecdsa.clone()]);
    let key = Credential::Key(host.client_key.clone());
    let session = Session::connect(&host.dial("deploy"), &key, &policy, &Tasks::new()).await.unwrap();
    assert_eq!(session.host_key_line(), ecdsa);
}

#[tokio::test]
async fn all_host_keys_of_the_server_are_announced() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let (mut announced, mut known) = (session.announced_host_keys().await, host.host_keys.clone());
    announced.sort();
    known.sort();
    assert_eq!(announced, known);
}

#[tokio::test]
async fn a_port_where_nothing_listens_and_names_that_mean_nothing_are_said_plainly() {
    let key = Credential::Key(Arc::new(load_private_key(&generate_runner_key("x").unwrap().0, None).unwrap()));
    let dial = |address: &str, port, user: &str| Dial::direct(address.to_owned(), port, user.to_owned());
    let port = free_port();
    let error = refused(&dial("127.0.0.1", port, "deploy"), &key, &HostKeyPolicy::Unknown).await;
    assert!(matches!(error, ConnectError::Tcp { .. }) && error.to_string().contains(&port.to_string()), "{error}");
    let error = refused(&dial("no-such-host.invalid", 22, "deploy"), &key, &HostKeyPolicy::Unknown).await;
    assert!(matches!(error, ConnectError::Resolve { .. } | ConnectError::Deadline { .. }), "{error:?}");
    for (address, port, user) in [("a;b", 22, "deploy"), ("-oX", 22, "deploy"), ("h", 22, "a b"), ("h", 0, "deploy")] {
        let error = refused(&dial(address, port, user), &key, &HostKeyPolicy::Unknown).await;
        assert!(matches!(error, ConnectError::BadAddress { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_log_line_at_any_level() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write_all(bytes).map(|()| bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let host = TestHost::start(HostSpec::default());
    let lines = Lines::default();
    let writer = lines.clone();
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init();
    let session =
        Session::connect(&host.dial("bob"), &password(BOB_PASSWORD), &host.pinned(), &Tasks::new()).await.unwrap();
    session.exec("true", Vec::new(), limits()).await.unwrap();
    refused(&host.dial("bob"), &password("wrong-Tr0ub4dor"), &host.pinned()).await;
    let written = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    assert!(written.contains("russh"), "nothing was captured, so nothing was tested");
    let leaks: Vec<_> = written.lines().filter(|l| l.contains(BOB_PASSWORD) || l.contains("wrong-Tr0ub4dor")).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
}

/// The host's log shows the connection and no attempt to authenticate on it.
fn nothing_was_sent(host: &TestHost) {
    let log = host.log();
    assert!(log.contains("Connection from"), "{log}");
    for sign in ["Accepted", "Failed", "Postponed", "authenticating user", "invalid user"] {
        assert!(!log.contains(sign), "`{sign}` in\n{log}");
    }
}
