//! `Idempotency-Key`: a POST that is repeated makes nothing twice, also when the first answer never came.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::http::{Answer, post_with_key, request};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

fn post(house: &House, path: &str, key: &str, body: &Value) -> Answer {
    let path = format!("/api/v0/e/default/{path}");
    post_with_key(house.address(), &path, &house.token(), key, body.to_string().as_bytes())
}

fn list(house: &House, path: &str) -> Vec<Value> {
    let answer = request(house.address(), "GET", &format!("/api/v0/e/default/{path}"), Some(&house.token()), None);
    answer.json().as_array().expect("a list").clone()
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// What each route makes: its body, and the key of the answer that holds a secret.
fn creations() -> Vec<(&'static str, Value, Option<&'static str>)> {
    let config = r#"{"version":"2","phases":{"unit":{"run":"true"}},"job_dispatch":{"version":"v2"}}"#;
    let pipeline = "orgs/acme/projects/web/pipelines";
    vec![
        ("jobs", json!({"script": "true"}), None),
        ("phase_runs", json!({"project": "web", "phase": "unit", "config": config}), None),
        ("orgs", json!({"name": "acme"}), None),
        ("orgs/acme/projects", json!({"name": "web"}), None),
        (pipeline, json!({"name": "next"}), None),
        (
            "orgs/acme/projects/web/pipelines/next/changes",
            json!({"title": "x", "source": "none", "config": config}),
            None,
        ),
        ("enrolment-tokens", json!({"name": "rack"}), Some("token")),
        ("webhooks", json!({"name": "chat", "url": "https://127.0.0.1/x", "events": ["job.finished"]}), Some("secret")),
        ("jump-hosts", json!({"name": "bastion", "user": "jump"}), None),
        (
            "pools",
            json!({"name": "cloud", "url": "https://127.0.0.1/y", "enrol_url": "http://127.0.0.1:1"}),
            Some("secret"),
        ),
    ]
}

#[test]
fn every_creating_post_is_carried_out_once() {
    let house = House::start_set("", &[("SHUNTD_OUTGOING_ALLOW_NETWORKS", "127.0.0.0/8")]);
    for (path, body, secret) in creations() {
        let key = format!("key/{path}");
        let (first, second) = (post(&house, path, &key, &body), post(&house, path, &key, &body));
        assert_eq!(first.status, 201, "{path}: {}", first.json());
        assert_eq!(second.status, 201, "{path}: {}", second.json());
        assert!(!is_replayed(&first) && is_replayed(&second), "{path}");
        let (mut made, mut shown) = (first.json(), second.json());
        assert_eq!((&made["id"], &made["name"]), (&shown["id"], &shown["name"]), "{path}");
        if let Some(secret) = secret {
            assert!(made[secret].is_string() && shown[secret].is_null(), "{path} tells its secret once: {shown}");
            assert_eq!(shown["secret_withheld"], true, "{path}");
            made.as_object_mut().unwrap().remove(secret);
            shown.as_object_mut().unwrap().remove("secret_withheld");
        }
        let keys = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&made), keys(&shown), "{path}");

        let mut other = body.clone();
        let changed = if other["name"].is_string() {
            "name"
        } else if path == "jobs" {
            "script"
        } else {
            "title"
        };
        other[changed] = "other".into();
        let refused = post(&house, path, &key, &other);
        assert_eq!((refused.status, &refused.json()["error"]), (422, &json!("idempotency_key_reused")), "{path}");
    }
    // The same body with another key, or without one, is another request.
    let body = json!({"script": "true"});
    assert!(!is_replayed(&post(&house, "jobs", "another", &body)));
    house.post_job(&body);
    assert_eq!(list(&house, "jobs").iter().filter(|job| job["phase_run"].is_null()).count(), 3);
    // The pool makes tokens for its machines, too.
    assert_eq!(list(&house, "enrolment-tokens").iter().filter(|token| token["name"] == "rack").count(), 1);
    assert_eq!(list(&house, "webhooks").len(), 1);

    // What a refused request was about can be asked for with its key again.
    let bad = post(&house, "jobs", "k", &json!({"script": ""}));
    assert_eq!((bad.status, post(&house, "jobs", "k", &body).status), (400, 201));
    // What was deleted since is not made again.
    let webhook = list(&house, "webhooks")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v0/e/default/webhooks/{webhook}");
    assert_eq!(request(house.address(), "DELETE", &path, Some(&house.token()), None).status, 204);
    let (path, body, _) = &creations()[7];
    let gone = post(&house, path, "key/webhooks", body);
    assert_eq!((gone.status, &gone.json()["error"]), (410, &json!("gone")));
    for key in ["", "a b", "ä", &"k".repeat(256)] {
        let refused = post(&house, "jobs", key, &json!({"script": "true"}));
        assert_eq!((refused.status, &refused.json()["path"]), (400, &json!("Idempotency-Key")), "{key:?}");
    }
}

#[test]
fn requests_with_one_key_at_one_time_make_one_job_and_all_are_told_of_it() {
    let house = House::start();
    let answers: Vec<Answer> = thread::scope(|scope| {
        let ask = || post(&house, "jobs", "same", &json!({"script": "true"}));
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let jobs = list(&house, "jobs");
    assert_eq!(jobs.len(), 1);
    for answer in &answers {
        assert_eq!((answer.status, &answer.json()["id"]), (201, &jobs[0]["id"]));
    }
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
}

#[test]
fn a_host_is_bootstrapped_and_commanded_once() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    let mut body = json!({
        "address": host.address, "port": host.port, "user": "deploy", "password": DEPLOY_PASSWORD, "no_sudo": true
    });
    let unconfirmed = post(&house, "runners/u1/install", "k1", &body);
    let text = String::from_utf8_lossy(&unconfirmed.body).into_owned();
    let fingerprint = text.split('"').find(|word| word.starts_with("SHA256:")).expect("a fingerprint").to_owned();
    body["host_key"] = fingerprint.into();
    let install = || String::from_utf8_lossy(&post(&house, "runners/u1/install", "k1", &body).body).into_owned();
    let (first, second) = (install(), install());
    assert!(first.contains("\"step\":\"host_keys\"") && first.contains("\"kind\":\"finished\""), "{first}");
    assert!(!second.contains("\"step\":\"host_keys\"") && second.contains("\"kind\":\"finished\""), "{second}");
    house.await_contact(&host, "connected");

    let command = json!({"job": {"script": "echo once >> ~/truth"}});
    let made = post(&house, "fan_outs", "f1", &command).json();
    assert_eq!(post(&house, "fan_outs", "f1", &command).json()["id"], made["id"]);
    let path = format!("fan_outs/{}", made["id"].as_str().unwrap());
    await_that("the fan-out ends", || house.api(&path)["status"] == "succeeded", || house.api(&path).to_string());
    let failing = post(&house, "fan_outs", "f2", &json!({"job": {"script": "exit 3"}})).json();
    let path = format!("fan_outs/{}", failing["id"].as_str().unwrap());
    await_that("the fan-out ends", || house.api(&path)["status"] == "failed", || house.api(&path).to_string());
    let again = post(&house, &format!("{path}/rerun"), "r1", &json!({})).json();
    assert_eq!(post(&house, &format!("{path}/rerun"), "r1", &json!({})).json()["id"], again["id"]);
    assert_eq!(list(&house, "fan_outs").len(), 3);
    assert_eq!(crate::cli::house::truth(&host, "truth"), "once\n");
}

/// Stands between `shunt` and the dispatcher: takes one request there, and cuts the connection before the answer. `cut` is
/// told, and says when to go on.
fn cutting_relay(to: String, cut: mpsc::Sender<()>, go_on: mpsc::Receiver<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let (Ok(mut client), Ok(mut server)) = (client, TcpStream::connect(&to)) else { return };
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
            if number == 0 {
                // The answer has begun: what was asked is committed.
                let mut byte = [0];
                assert_eq!(server.read(&mut byte).unwrap(), 1);
                cut.send(()).unwrap();
                go_on.recv().unwrap();
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            } else {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut server, &mut client);
                    let _ = client.flush();
                });
            }
        }
    });
    address
}

#[test]
fn a_job_is_queued_once_when_the_dispatcher_is_killed_between_commit_and_answer() {
    let mut house = House::start();
    let ((cut, was_cut), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel());
    let relay = cutting_relay(house.address().to_owned(), cut, may_go_on);
    let mut command = house.shunt_command();
    command.env("SHUNT_SERVER", format!("http://{relay}")).args(["run", "--detach", "--", "true"]);
    let shunt = crate::cli::client::Client::start(command, b"");
    was_cut.recv().unwrap();
    house.kill();
    house.start_again();
    go_on.send(()).unwrap();
    let ran = shunt.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("asking again with the same key"), "{}", ran.stderr);
    let jobs = list(&house, "jobs");
    assert_eq!(jobs.len(), 1);
    assert_eq!(ran.text().trim(), jobs[0]["id"].as_str().unwrap());
}

/// Runs `shunt` with these words; the connection of its first request is cut when the answer begins.
fn cut_once(house: &House, words: &[&str], input: &[u8]) -> crate::cli::client::Ran {
    let ((cut, was_cut), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel());
    let relay = cutting_relay(house.address().to_owned(), cut, may_go_on);
    let mut command = house.shunt_command();
    command.env("SHUNT_SERVER", format!("http://{relay}")).args(words);
    let shunt = crate::cli::client::Client::start(command, input);
    was_cut.recv().unwrap();
    go_on.send(()).unwrap();
    shunt.end()
}

#[test]
fn a_request_by_hand_and_a_bootstrap_are_asked_again_with_their_key() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    let ran = cut_once(&house, &["api", "post", "jobs", "--data", r#"{"script": "true"}"#], b"");
    assert!(ran.code == 0 && ran.stderr.contains("asking again with the same key"), "{} {}", ran.code, ran.stderr);
    assert_eq!(list(&house, "jobs").len(), 1);
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", "u1", "deploy", "--address", &host.address, "-p", &port, "-y", "--no-sudo"];
    let ran =
        cut_once(&house, &[&words[..], &["--password-stdin"]].concat(), format!("{DEPLOY_PASSWORD}\n").as_bytes());
    assert!(ran.code == 0 && ran.stderr.contains("asking again with the same key"), "{} {}", ran.code, ran.stderr);
    let log = house.log();
    assert_eq!(list(&house, "runners").len(), 1, "{log}");
}

#[test]
fn a_token_whose_answer_was_cut_off_is_said_to_be_lost() {
    let house = House::start();
    let ((cut, was_cut), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel());
    let relay = cutting_relay(house.address().to_owned(), cut, may_go_on);
    let mut command = house.shunt_command();
    command.env("SHUNT_SERVER", format!("http://{relay}")).args(["ctl", "create-token", "rack"]);
    let shunt = crate::cli::client::Client::start(command, b"");
    was_cut.recv().unwrap();
    go_on.send(()).unwrap();
    let ran = shunt.end();
    assert!(ran.code == 1 && ran.stderr.contains("a secret is told once"), "{} {}", ran.code, ran.stderr);
    // The pool makes tokens for its machines, too.
    assert_eq!(list(&house, "enrolment-tokens").iter().filter(|token| token["name"] == "rack").count(), 1);
}
