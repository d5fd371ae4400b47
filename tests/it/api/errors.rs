//! Bad requests: each gets its status and a body that says what is wrong, and changes nothing.

use serde::Deserialize;
use serde_json::Value;

use super::http::request;
use crate::cli::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

/// One bad request and what must come back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Method and path; a path without a leading slash is the enterprise's.
    request: String,
    /// `none` sends none; absent is the admin's.
    token: Option<String>,
    /// The body as it is sent.
    body: Option<String>,
    json: Option<Value>,
    status: u16,
    error: Option<String>,
    /// A part of the sentence.
    says: String,
    path: Option<String>,
    /// A part of what is allowed.
    allowed: Option<String>,
    /// The `Allow` header.
    allow: Option<String>,
    /// How many faults of a configuration are listed.
    #[serde(default)]
    faults: usize,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../fixtures/api/errors.json")).expect("the cases")
}

/// Everything that a bad request could have changed.
fn stored(house: &House) -> String {
    let mut jobs = house.api("jobs?state=all");
    for job in jobs.as_array_mut().expect("jobs") {
        job.as_object_mut().expect("a job").remove("timeInState");
    }
    format!("{jobs}\n{}", house.api("runners"))
}

/// What is wrong with the answer to one case.
fn fault(house: &House, case: &Case) -> Option<String> {
    let (method, path) = case.request.split_once(' ').expect("METHOD PATH");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v0/e/default/{path}") };
    let admin = house.token();
    let token = match case.token.as_deref() {
        Some("none") => None,
        Some(token) => Some(token),
        None => Some(admin.as_str()),
    };
    let body = case.json.as_ref().map(ToString::to_string).or_else(|| case.body.clone());
    let answer = request(house.address(), method, &path, token, body.as_deref().map(str::as_bytes));
    let json = answer.json();
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let allowed = json["allowed"].to_string();
    let good = answer.status == case.status
        && answer.header("content-type") == Some("application/json")
        && case.error.as_ref().is_none_or(|error| text("error") == *error)
        && text("message").contains(&case.says)
        && case.path.as_ref().is_none_or(|path| text("path") == *path)
        && case.allowed.as_ref().is_none_or(|part| allowed.contains(part))
        && json["faults"].as_array().map_or(0, Vec::len) == case.faults
        && case.allow.as_ref().is_none_or(|allow| answer.header("allow") == Some(allow))
        && !text("request_id").is_empty();
    (!good).then(|| format!("{}: {} {json} allow={:?}", case.name, answer.status, answer.header("allow")))
}

#[test]
fn every_bad_request_is_answered_by_a_sentence_and_changes_nothing() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    house.await_contact(&host, "connected");
    house.submit(&["--filter", "platform=plan9"], "true");
    house.await_end(&house.submit(&[], "exit 3"));
    let before = stored(&house);
    let faults: Vec<String> = cases().iter().filter_map(|case| fault(&house, case)).collect();
    assert!(faults.is_empty(), "{} wrong answers:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(stored(&house), before);
    assert!(!house.log().contains("ERROR"), "a bad request is not the server's error");
}

#[test]
fn a_denied_request_names_the_challenge_that_chefs_clients_expect() {
    let house = House::start();
    let answer = request(house.address(), "GET", "/api/v0/e/default/runners", None, None);
    assert_eq!(answer.header("www-authenticate"), Some("ChefToken realm=\"ChefDelivery\""));
    let open = request(house.address(), "GET", "/api/_status", None, None);
    assert_eq!((open.status, &open.json()["status"]), (200, &"pong".into()));
}

#[test]
fn a_body_beyond_its_limit_is_refused_and_the_server_goes_on() {
    let house = House::start();
    let body = format!(r#"{{"script": "{}"}}"#, "x".repeat(1024 * 1024 + 1));
    let path = "/api/v0/e/default/jobs";
    let answer = request(house.address(), "POST", path, Some(&house.token()), Some(body.as_bytes()));
    assert_eq!((answer.status, &answer.json()["path"]), (400, &"script".into()));
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}

#[test]
fn the_link_to_the_next_page_keeps_the_query_whatever_its_characters_are() {
    let house = House::start();
    let (token, jobs) = (house.token(), "/api/v0/e/default/jobs");
    for _ in 0..3 {
        let job = r#"{"script": "true", "project": "a&b=c ü"}"#;
        assert_eq!(request(house.address(), "POST", jobs, Some(&token), Some(job.as_bytes())).status, 201);
    }
    let mut path = "jobs?project=a%26b%3Dc%20%C3%BC&limit=2".to_owned();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let answer = request(house.address(), "GET", &format!("/api/v0/e/default/{path}"), Some(&token), None);
        let page = answer.json();
        seen.extend(page.as_array().unwrap().iter().map(|job| job["id"].to_string()));
        let Some(link) = answer.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
}
