//! What a receiver is told, in which order, and signed by whom.

use serde_json::Value;

use super::{deliveries, house, types, webhook};
use crate::cli::house::{await_that, host};
use crate::outgoing::calls::signed_by_openssl;
use crate::support::receiver::{OK, Received, Receiver};
use crate::support::sshd::UBUNTU_2204;

fn check(secret: &str, got: &Received) {
    let (id, timestamp) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    assert_eq!(got.header("webhook-signature"), signed_by_openssl(secret, id, timestamp, &got.body));
    assert_eq!(got.json()["id"], id);
}

#[test]
fn a_runner_and_a_job_are_told_from_the_beginning_to_the_end() {
    let receiver = Receiver::start(|_| OK);
    let house = house(&receiver);
    let secret = webhook(&house, "all", &receiver.url("localhost", "/hook"), "job,runner");
    let host = host("u1", UBUNTU_2204);
    house.enrol(&host, 1);
    let body = serde_json::json!({"env": {"PASSWORD": "hunter2"}});
    let job = house.submit_with("echo hunter3; exit 3", &body);
    house.await_end(&job);
    house.shunt(&["ctl", "drain", "u1"]).expect(0, &[]);
    house.shunt(&["ctl", "delete-runner", "u1", "--yes"]).expect(0, &[]);
    let expected =
        ["runner.enrolled", "job.queued", "job.started", "job.finished", "runner.state_changed", "runner.deleted"];
    await_that("all are told", || types(&receiver).len() >= expected.len(), || house.log());
    assert_eq!(types(&receiver), expected, "in the order of the events");
    let got = receiver.received();
    for message in &got {
        check(&secret, message);
        let text = String::from_utf8_lossy(&message.body).into_owned();
        assert!(!text.contains("hunter") && !text.contains("PRIVATE KEY"), "{text}");
    }
    let data = |n: usize| got[n].json()["data"].clone();
    assert_eq!((&data(0)["hostname"], &data(0)["state"]), (&"u1".into(), &"enrolled".into()));
    assert_eq!(
        (&data(1)["id"], &data(1)["state"], &data(1)["runner"]),
        (&job.as_str().into(), &"queued".into(), &Value::Null)
    );
    assert_eq!((&data(2)["state"], &data(2)["runner"]), (&"running".into(), &"u1".into()));
    assert_eq!((&data(3)["outcome"], &data(3)["exit_code"]), (&"failed".into(), &3.into()));
    assert_eq!(data(4)["state"], "draining");
    let api = house.job(&job);
    for (key, value) in data(3).as_object().unwrap() {
        assert!(api.get(key).is_some() || value.is_null(), "the API does not know {key}");
    }
    await_that("all are noted", || deliveries(&house, "all").iter().all(|d| d["state"] == "delivered"), || house.log());
    assert!(deliveries(&house, "all").iter().all(|d| d["attempts"] == 1 && d["last_status"] == 204));
}

#[test]
fn a_webhook_hears_only_what_it_has_asked_for_and_only_while_it_is_enabled() {
    let receiver = Receiver::start(|_| OK);
    let house = house(&receiver);
    webhook(&house, "queued", &receiver.url("localhost", "/queued"), "job.queued");
    let of_project = ["--events", "job.queued", "--project", "web", "--url", &receiver.url("localhost", "/web")];
    house.shunt(&[&["ctl", "webhook", "create", "web"], &of_project[..]].concat()).expect(0, &[]);
    let id = house.api("webhooks")[0]["id"].as_str().unwrap().to_owned();
    let first = house.submit_with("true", &serde_json::json!({"project": "web"}));
    let second = house.submit_with("true", &serde_json::json!({"project": "other"}));
    await_that("three are told", || receiver.received().len() == 3, || house.log());
    let patch = |body: &str| house.shunt(&["api", "patch", &format!("webhooks/{id}"), "-d", body]).expect(0, &[]);
    patch(r#"{"enabled": false}"#);
    house.submit_with("true", &serde_json::json!({"project": "other"}));
    patch(r#"{"enabled": true, "events": ["job.finished"]}"#);
    house.shunt(&["cancel", &second]).expect(0, &[]);
    await_that("the end is told", || receiver.received().len() == 4, || house.log());
    let told = |path: &str| -> Vec<(String, String)> {
        let of = receiver.received().into_iter().filter(|got| got.path == path).map(|got| got.json());
        of.map(|m| (m["type"].to_string(), m["data"]["id"].as_str().unwrap().to_owned())).collect()
    };
    let queued = |id: &String| ("\"job.queued\"".to_owned(), id.clone());
    assert_eq!(told("/web"), [queued(&first)]);
    assert_eq!(told("/queued"), [queued(&first), queued(&second), ("\"job.finished\"".to_owned(), second.clone())]);
}

#[test]
fn a_test_a_new_secret_and_a_repetition() {
    let receiver = Receiver::start(|_| OK);
    let house = house(&receiver);
    let secret = webhook(&house, "chat", &receiver.url("localhost", "/"), "job.queued");
    let ran = house.shunt(&["ctl", "webhook", "test", "chat"]);
    assert_eq!((ran.code, ran.text()), (0, "delivered: the receiver answered 204\n".to_owned()), "{}", ran.stderr);
    assert_eq!(types(&receiver), ["ping"]);
    check(&secret, &receiver.received()[0]);
    house.submit_with("true", &serde_json::json!({}));
    await_that("it is noted", || deliveries(&house, "chat")[0]["state"] == "delivered", || house.log());
    let rotated = house.shunt(&["ctl", "webhook", "rotate", "chat"]).text().trim().to_owned();
    assert_ne!(rotated, secret);
    let id = deliveries(&house, "chat")[0]["id"].as_str().unwrap().to_owned();
    house.shunt(&["ctl", "webhook", "redeliver", "chat", &id]).expect(0, &[]);
    await_that("it is sent again", || receiver.received().len() == 3, || house.log());
    let got = receiver.received();
    assert_eq!((got[1].header("webhook-id"), got[2].header("webhook-id")), (id.as_str(), id.as_str()));
    assert_eq!(got[1].body, got[2].body);
    check(&rotated, &got[2]);
}
