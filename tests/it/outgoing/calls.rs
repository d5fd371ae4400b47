//! What a receiver gets, what comes back, and what happens with one that misbehaves.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use shuntyard::outgoing::{Answer, Call, CallError, Caller, CallerSettings, SigningSecret};

use crate::support::receiver::{OK, Receiver, Reply};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Far beyond what a call takes here.
const LONG: Duration = Duration::from_secs(60);

/// A caller that trusts this receiver and may call loopback.
pub fn caller(receiver: &Receiver) -> Caller {
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    Caller::new(&CallerSettings { ca_file: Some(receiver.ca_file()), allow_networks, allow_http: false }).unwrap()
}

pub async fn post(caller: &Caller, url: &str, limit: Duration, answer_bytes: usize) -> Result<Answer, CallError> {
    let (to, secret) = (caller.destination(url).unwrap(), SigningSecret::parse(SECRET).unwrap());
    let body = br#"{"type":"ping"}"#.to_vec();
    let call =
        Call { to: &to, secret: &secret, message_id: "msg_1", now_ms: 1_700_000_000_999, body, limit, answer_bytes };
    caller.post(call).await
}

/// The signature as openssl makes it.
pub fn signed_by_openssl(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let script = "key=$(printf %s \"$1\" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n'); \
                  openssl dgst -sha256 -mac HMAC -macopt hexkey:\"$key\" -binary | openssl base64 -A";
    let mut shell = Command::new("sh")
        .args(["-c", script, "sh", secret.strip_prefix("whsec_").unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(&[format!("{id}.{timestamp}.").as_bytes(), body].concat()).unwrap();
    drop(input);
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success());
    format!("v1,{}", String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_receiver_gets_a_signed_message_and_its_answer_comes_back() {
    let receiver = Receiver::start(|_| Reply::Answer(418, b"0123456789".to_vec()));
    let caller = caller(&receiver);
    for host in ["127.0.0.1", "localhost"] {
        let answer = post(&caller, &receiver.url(host, "/hook?a=b"), LONG, 10).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.whole), (418, &b"0123456789"[..], true), "{host}");
        assert!(!answer.is_success());
    }
    let answer = post(&caller, &receiver.url("localhost", "/"), LONG, 9).await.unwrap();
    assert_eq!((answer.body.as_slice(), answer.whole), (&b"012345678"[..], false));
    let got = &receiver.received()[0];
    assert_eq!((got.path.as_str(), &got.json()["type"]), ("/hook?a=b", &"ping".into()));
    assert_eq!((got.header("webhook-id"), got.header("webhook-timestamp")), ("msg_1", "1700000000"));
    assert_eq!(got.header("content-type"), "application/json");
    assert!(got.header("user-agent").starts_with("shuntyard/"));
    assert_eq!(got.header("webhook-signature"), signed_by_openssl(SECRET, "msg_1", "1700000000", &got.body));
}

#[tokio::test]
async fn calls_to_one_receiver_share_a_connection() {
    let receiver = Receiver::start(|_| OK);
    let caller = caller(&receiver);
    for _ in 0..3 {
        assert!(post(&caller, &receiver.url("localhost", "/"), LONG, 0).await.unwrap().is_success());
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_resets_or_never_ends_is_told_as_that() {
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/hang" => Reply::Hang,
        "/reset" => Reply::Reset,
        _ => Reply::Endless,
    });
    let caller = caller(&receiver);
    let limit = Duration::from_millis(300);
    let hung = post(&caller, &receiver.url("localhost", "/hang"), limit, 0).await.unwrap_err();
    assert!(matches!(&hung, CallError::Deadline { .. }), "{hung}");
    let reset = post(&caller, &receiver.url("localhost", "/reset"), LONG, 0).await.unwrap_err();
    assert!(matches!(&reset, CallError::Exchange { .. }), "{reset}");
    assert!(hung.may_pass_later() && reset.may_pass_later());
    let endless = post(&caller, &receiver.url("localhost", "/endless"), LONG, 100_000).await.unwrap();
    assert_eq!((endless.status, endless.body.len(), endless.whole), (200, 100_000, false));
}

#[tokio::test]
async fn nobody_listening_and_an_unknown_name_are_told_as_that() {
    let gone = {
        let receiver = Receiver::start(|_| OK);
        (caller(&receiver), receiver.url("127.0.0.1", "/secret-path"))
    };
    let error = post(&gone.0, &gone.1, LONG, 0).await.unwrap_err();
    assert!(matches!(&error, CallError::Connect { .. }), "{error:?}");
    assert!(error.may_pass_later() && error.to_string().contains("refused") && !error.to_string().contains("secret"));
    let error = post(&gone.0, "https://no-such-name.invalid/secret-path", LONG, 0).await.unwrap_err();
    assert!(matches!(&error, CallError::Resolve { .. }), "{error:?}");
    assert!(error.may_pass_later() && !error.to_string().contains("secret"), "{error}");
}
