//! What is not called: closed networks behind names, untrusted certificates, redirects, plain http, proxies.

use std::time::Duration;

use shuntyard::outgoing::{BadDestination, CallError, Caller, CallerError, CallerSettings};

use super::calls::{caller, post};
use crate::cli::house::command;
use crate::support::receiver::{OK, Receiver, Reply};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_name_that_leads_to_a_closed_network_is_refused_before_anything_is_sent() {
    let receiver = Receiver::start(|_| OK);
    let closed =
        Caller::new(&CallerSettings { ca_file: Some(receiver.ca_file()), ..CallerSettings::default() }).unwrap();
    let error = post(&closed, &receiver.url("localhost", "/"), LONG, 0).await.unwrap_err();
    let CallError::Refused { refused, .. } = &error else { panic!("{error:?}") };
    assert!(refused.address.is_loopback() && !error.may_pass_later());
    assert!(error.to_string().contains("[outgoing] allow_networks"), "{error}");
    let literal = closed.destination(&receiver.url("127.0.0.1", "/")).unwrap_err();
    assert!(matches!(literal, BadDestination::Refused(_)), "{literal:?}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_trust_ends_the_call_in_the_handshake() {
    let (receiver, other) = (Receiver::start(|_| OK), Receiver::start(|_| OK));
    let error = post(&caller(&other), &receiver.url("localhost", "/"), LONG, 0).await.unwrap_err();
    assert!(matches!(&error, CallError::Tls { .. }), "{error:?}");
    let other_name = post(&caller(&receiver), &receiver.url("127.0.0.2", "/"), LONG, 0).await.unwrap_err();
    // The receiver listens on 127.0.0.1 only; what matters is that nothing was sent.
    assert!(matches!(&other_name, CallError::Connect { .. }), "{other_name:?}");
    let plain = Receiver::start_plain(|_| OK);
    let https = plain.url("localhost", "/").replace("http://", "https://");
    let error = post(&caller(&receiver), &https, LONG, 0).await.unwrap_err();
    assert!(matches!(&error, CallError::Connect { .. }), "{error:?}");
    assert_eq!((receiver.received().len(), plain.received().len()), (0, 0));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Receiver::start(|_| OK);
    let to = target.url("localhost", "/inner");
    let receiver = Receiver::start(move |_| Reply::Redirect(to.clone()));
    let answer = post(&caller(&receiver), &receiver.url("localhost", "/"), LONG, 0).await.unwrap();
    assert_eq!((answer.status, answer.is_success(), target.connections()), (302, false, 0));
}

#[tokio::test]
async fn plain_http_is_called_only_where_it_is_allowed() {
    let receiver = Receiver::start_plain(|_| OK);
    let allow_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    let with = |allow_http| CallerSettings { allow_http, allow_networks: allow_networks.clone(), ca_file: None };
    let url = receiver.url("localhost", "/");
    assert!(matches!(Caller::new(&with(false)).unwrap().destination(&url), Err(BadDestination::Scheme { .. })));
    assert!(post(&Caller::new(&with(true)).unwrap(), &url, LONG, 0).await.unwrap().is_success());
}

#[test]
fn certificates_that_cannot_be_used_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (missing, empty) = (dir.path().join("missing.pem"), dir.path().join("empty.pem"));
    std::fs::write(&empty, "no certificate").unwrap();
    let with = |file: &std::path::Path| CallerSettings { ca_file: Some(file.to_owned()), ..CallerSettings::default() };
    assert!(matches!(Caller::new(&with(&missing)), Err(CallerError::ReadCaFile { .. })));
    assert!(matches!(Caller::new(&with(&empty)), Err(CallerError::NoCertificate { .. })));
    let mut shuntd = command("shuntd", dir.path());
    shuntd.args(["serve", "--listen", "127.0.0.1:0"]).env("SHUNTD_OUTGOING_CA_FILE", &empty);
    let output = shuntd.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("empty.pem holds no certificate"), "{said}");
}
