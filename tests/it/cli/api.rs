//! `shunt api`: any method, any path, the answer as JSON with sorted keys, errors as sentences.

use serde_json::{Value, json};

use super::house::{House, host};
use super::terminal::Terminal;
use crate::support::sshd::UBUNTU_2204;

/// The keys of an object in the order of the text.
fn top_keys(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect()
}

#[test]
fn every_method_reaches_its_route_and_prints_sorted_json_without_colour() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    house.await_contact(&host, "connected");

    let posted = house.shunt(&["api", "post", "jobs", "-d", r#"{"script": "exit 4", "title": "by hand"}"#]);
    assert_eq!(posted.code, 0, "{}", posted.stderr);
    let text = posted.text();
    let keys = top_keys(&text);
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert!(keys.len() > 20 && keys == sorted && !text.contains('\u{1b}'), "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(house.await_end(&id)["exit_code"], 4);

    assert_eq!(house.api("jobs"), json!([]), "unfinished jobs only");
    assert_eq!(house.api("jobs?state=failed&limit=1")[0]["title"], "by hand");
    assert_eq!(house.api(&format!("/api/v0/e/default/jobs/{id}"))["id"], *id);
    assert_eq!(house.api("runners/u1/health")["status"], "ok");
    assert_eq!(house.api("runners")[0]["hostname"], "u1");
    assert_eq!(house.api("/api/_status")["status"], "pong");

    house.shunt(&["api", "patch", "runners/u1", "-d", r#"{"labels": ["gpu"], "slots": 3}"#]).expect(0, &["\"gpu\""]);
    assert_eq!((&house.api("runners/u1")["labels"], &house.api("runners/u1")["slots"]), (&json!(["gpu"]), &json!(3)));
    house.shunt(&["api", "post", "runners/u1/health"]).expect(0, &["\"pending\""]);
    let deleted = house.shunt(&["api", "delete", &format!("jobs/{id}")]);
    assert_eq!((deleted.code, deleted.text().as_str()), (0, ""), "204 has no body");
}

#[test]
fn a_body_comes_from_the_flag_a_file_or_standard_input() {
    let house = House::start();
    let file = house.home().join("job.json");
    std::fs::write(&file, r#"{"script": "true", "title": "from a file"}"#).unwrap();
    house.shunt(&["api", "post", "jobs", "-d", &format!("@{}", file.display())]).expect(0, &["from a file"]);
    let input = br#"{"script": "true", "title": "from a pipe"}"#;
    house.begin_with_input(&["api", "post", "jobs", "-d", "-"], input).end().expect(0, &["from a pipe"]);
    assert_eq!(house.api("jobs").as_array().map(Vec::len), Some(2));

    house.shunt(&["api", "post", "jobs", "-d", "{script: true}"]).expect(2, &["the body is not JSON"]);
    house.shunt(&["api", "post", "jobs", "-d", "@/no/such/file"]).expect(1, &["/no/such/file"]);
    house.shunt(&["api", "steal", "jobs"]).expect(2, &["steal", "get", "delete"]);
    assert_eq!(house.api("jobs").as_array().map(Vec::len), Some(2));
}

#[test]
fn an_error_is_the_servers_sentence_on_standard_error_and_exit_code_1() {
    let house = House::start();
    for (words, said) in [
        (&["get", "runners/u9"][..], &["there is no runner `u9`", "404 not_found"][..]),
        (&["get", "nowhere"], &["no such route", "404 invalid_route"]),
        (&["put", "jobs", "-d", "{}"], &["does not know the method", "405 method_not_allowed"]),
        (&["delete", "runners"], &["405 method_not_allowed"]),
        (&["post", "jobs", "-d", r#"{"script": ""}"#], &["script is empty, at script", "allowed: a shell script"]),
        (&["get", "jobs?state=asleep"], &["no state `asleep`", "allowed: all, "]),
        (&["patch", "runners/$(id)", "-d", "{}"], &["there is no runner `$(id)`"]),
    ] {
        let ran = house.shunt(&[&["api"], words].concat());
        ran.expect(1, said);
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error: "), "{ran:?}");
    }
    let ran = house.shunt(&["api", "get", "runners/u9", "--json"]);
    let body: Value = serde_json::from_slice(&ran.stdout).expect("the server's body");
    assert_eq!((ran.code, &body["error"]), (1, &"not_found".into()));
}

#[test]
fn a_wrong_token_a_missing_one_and_a_server_that_is_away_are_named_with_what_to_do() {
    let mut house = House::start();
    let wrong = house.home().join("wrong.token");
    std::fs::write(&wrong, "shy_wrong\n").unwrap();
    let wrong = wrong.to_str().unwrap();
    house.shunt(&["api", "get", "jobs", "--token-file", wrong]).expect(1, &["token", "--token-file"]);
    house.shunt(&["api", "get", "jobs", "--token-file", "/no/such/token"]).expect(1, &["/no/such/token"]);
    house.kill();
    house.shunt(&["api", "get", "jobs"]).expect(1, &["cannot reach", "connection refused", "`shuntd serve`"]);
}

#[test]
fn logs_and_event_streams_are_passed_on_as_they_come() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "printf 'a\\377b'");
    house.await_end(&id);
    let ran = house.shunt(&["api", "get", &format!("jobs/{id}/log")]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (0, &b"a\xffb"[..]), "{}", ran.stderr);
    // One that ends by itself, one that goes on until Ctrl-C, and the steps of something that was asked for.
    house.shunt(&["api", "get", &format!("jobs/{id}/log/streaming")]).expect(0, &["event: chunk\n", "event: end\n"]);
    let stream = house.begin(&["api", "get", "jobs/streaming"]);
    stream.await_output("event: update_job_queue\ndata: []\n");
    let waiting = house.submit(&["--filter", "platform=plan9"], "true");
    stream.await_output(&waiting);
    stream.interrupt();
    assert_ne!(stream.end().code, 0);
    let steps = house.shunt(&["api", "post", "runners/u1/accept-host-key", "-d", "{}"]);
    assert!(steps.code == 1 || steps.text().contains("data: {"), "{steps:?}");
    house.shunt(&["api", "post", "jobs"]).expect(1, &["the request has no body", "a JSON object"]);
}

#[test]
fn an_answer_is_coloured_on_a_terminal_only() {
    let house = House::start();
    let mut command = house.shunt_command();
    command.args(["api", "get", "/api/_status"]);
    let (code, screen) = Terminal::start(&command).end();
    assert!(code == 0 && screen.contains("\u{1b}[") && screen.contains("pong"), "{screen}");
    command.env("NO_COLOR", "1");
    let (_, screen) = Terminal::start(&command).end();
    assert!(!screen.contains('\u{1b}') && screen.contains("pong"), "{screen}");
}

#[test]
fn a_job_with_an_empty_title_is_called_by_its_script() {
    let house = House::start();
    let body = r#"{"script": "echo hi\n", "title": ""}"#;
    house.shunt(&["api", "post", "jobs", "-d", body]).expect(0, &["\"title\": \"echo hi\""]);
}
