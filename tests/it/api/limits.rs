//! Quotas and rates: what is too much gets its status and what is allowed, and nothing of it is stored.

use std::thread;

use serde::Deserialize;
use serde_json::{Value, json};

use super::http::request;
use crate::cli::house::House;

/// One request and what comes back; the cases build on each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Method and path below the enterprise.
    request: String,
    json: Value,
    /// A script of so many bytes is added.
    script_bytes: Option<usize>,
    /// A configuration with a matrix of so many rows is added.
    rows: Option<usize>,
    status: u16,
    error: Option<String>,
    path: Option<String>,
    says: Option<String>,
    allowed: Option<String>,
}

const SMALL: &[(&str, &str)] = &[
    ("SHUNTD_LIMITS_UNFINISHED_JOBS", "3"),
    ("SHUNTD_LIMITS_SCRIPT_KIB", "1"),
    ("SHUNTD_LIMITS_MATRIX_ROWS", "2"),
    ("SHUNTD_LIMITS_JOB_LOG_MIB", "1"),
    ("SHUNTD_OUTPUT_CAP_MIB", "1"),
];

fn post(house: &House, path: &str, body: &Value) -> super::http::Answer {
    let path = format!("/api/v0/e/default/{path}");
    request(house.address(), "POST", &path, Some(&house.token()), Some(body.to_string().as_bytes()))
}

/// What is wrong with the answer to one case.
fn fault(house: &House, case: &Case) -> Option<String> {
    let (method, path) = case.request.split_once(' ').expect("METHOD PATH");
    let mut body = case.json.clone();
    if let Some(bytes) = case.script_bytes {
        body["script"] = format!("true #{}", "x".repeat(bytes - 6)).into();
    }
    if let Some(rows) = case.rows {
        let matrix = vec![json!({"os": ["linux"]}); rows];
        let config = json!({
            "job_dispatch": {"version": "v2", "filters": {"unit": matrix}},
            "phases": {"unit": {"run": "true"}},
        });
        body["config"] = config.to_string().into();
    }
    let before = house.api("jobs?state=all&limit=500").as_array().map_or(0, Vec::len);
    let path = format!("/api/v0/e/default/{path}");
    let answer = request(house.address(), method, &path, Some(&house.token()), Some(body.to_string().as_bytes()));
    let told = answer.json();
    let after = house.api("jobs?state=all&limit=500").as_array().map_or(0, Vec::len);
    let said = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    let holds = |part: &Option<String>, whole: String| part.as_ref().is_none_or(|part| whole.contains(part));
    let good = answer.status == case.status
        && case.error.as_ref().is_none_or(|code| told["error"] == **code)
        && case.path.as_ref().is_none_or(|path| told["path"] == **path)
        && holds(&case.says, said("message"))
        && holds(&case.allowed, told["allowed"].to_string().replace("\",\"", ", "))
        && (case.status < 300 || before == after);
    (!good).then(|| format!("{}: {} {told}; {before} jobs before, {after} after", case.name, answer.status))
}

#[test]
fn each_quota_is_kept_with_its_status_and_what_is_allowed() {
    let house = House::start_set("", SMALL);
    house.shunt(&["project", "limit", "large", "--script", "2KiB"]).expect(0, &["up to 2048 bytes of a script"]);
    house.shunt(&["project", "limit", "closed", "--unfinished", "0"]).expect(0, &["up to 0 unfinished jobs"]);
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../fixtures/api/limits.json")).expect("the cases");
    assert!(cases.len() >= 15);
    let faults: Vec<String> = cases.iter().filter_map(|case| fault(&house, case)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // One limit is set without the others being lost, and taken away again.
    house.shunt(&["project", "limit", "large", "4", "--rows", "1"]).expect(0, &["4 jobs", "2048 bytes", "1 rows"]);
    let ran = house.shunt(&["project", "limit", "large", "none", "--script", "default", "--rows", "default", "--json"]);
    ran.expect(0, &[]);
    assert_eq!(serde_json::from_slice::<Value>(&ran.stdout).expect("JSON"), json!({"running": null}));
}

#[test]
fn a_crowd_that_submits_at_once_gets_exactly_what_the_queue_holds_also_after_a_restart() {
    let mut house = House::start_set("", &[("SHUNTD_LIMITS_UNFINISHED_JOBS", "7")]);
    let body = json!({"script": "true", "project": "web"});
    let crowd = |house: &House| -> Vec<u16> {
        thread::scope(|scope| {
            let one = || post(house, "jobs", &body).status;
            let all: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|asked| asked.join().expect("an answer")).collect()
        })
    };
    let count = |statuses: &[u16], wanted| statuses.iter().filter(|status| **status == wanted).count();
    let statuses = crowd(&house);
    assert_eq!((count(&statuses, 201), count(&statuses, 429)), (7, 13), "{statuses:?}");
    // What has ended makes room, and nothing else does.
    let jobs = house.api("jobs");
    for job in &jobs.as_array().expect("jobs")[..2] {
        house.shunt(&["cancel", job["id"].as_str().expect("an id")]).expect(0, &[]);
    }
    house.kill();
    house.start_again();
    let statuses = crowd(&house);
    assert_eq!((count(&statuses, 201), count(&statuses, 429)), (2, 18), "{statuses:?}");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again_and_shunt_waits_until_then() {
    let settings = [("SHUNTD_LIMITS_REQUESTS_PER_S", "2"), ("SHUNTD_LIMITS_ANONYMOUS_PER_S", "2")];
    let house = House::start_set("", &settings);
    let (token, path) = (house.token(), "/api/v0/e/default/jobs");
    let ask = |token: Option<&str>| request(house.address(), "GET", path, token, None);
    // Far more than ten seconds' worth, whatever time it takes.
    let refused = (0..2_000).map(|_| ask(Some(&token))).find(|answer| answer.status != 200).expect("a refusal");
    assert_eq!((refused.status, &refused.json()["error"]), (429, &"too_many_requests".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.json()["allowed"][0].as_str().is_some_and(|allowed| allowed.contains("2 requests a second")));
    // shunt waits.
    house.shunt(&["jobs"]).expect(0, &[]);
    // Guesses count as their address's, whatever token they try; a good token goes on.
    let guesses = (0..2_000).map(|n| ask(Some(&format!("shy_{n}"))).status).find(|status| *status != 401);
    assert_eq!(guesses, Some(429));
    assert!((0..2_000).any(|_| ask(None).status == 429));
    house.shunt(&["jobs"]).expect(0, &[]);
}
