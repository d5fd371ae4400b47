//! `shunt audit`: every act is there with who did it, nothing is there twice, and the log can be checked.

use serde_json::{Value, json};

use super::house::{House, host};
use crate::api::http::request;
use crate::support::sshd::UBUNTU_2204;

#[test]
fn acts_of_people_are_in_the_audit_log_with_what_they_changed() {
    let h1 = host("h1", UBUNTU_2204);
    let house = House::with(&[(&h1, 2)]);
    house.shunt(&["ctl", "label", "h1", "+gpu"]).expect(0, &["h1: gpu"]);
    let job = house.submit(&[], "true");
    house.await_end(&job);
    house.shunt(&["ctl", "test-runner", "h1"]).expect(0, &[]);
    let log = house.api("audit");
    let find = |action: &str| -> Value {
        let rows = log.as_array().expect("rows");
        let found: Vec<&Value> = rows.iter().filter(|row| row["action"] == action).collect();
        assert_eq!(found.len(), 1, "{action}: {log}");
        found[0].clone()
    };
    let label = find("runner.change");
    assert_eq!(
        (&label["actor"], &label["subject"], &label["address"]),
        (&json!("admin"), &json!("runner h1"), &json!("127.0.0.1"))
    );
    assert_eq!((&label["before"]["labels"], &label["after"]["labels"]), (&json!([]), &json!(["gpu"])));
    assert_eq!(find("runner.add")["after"]["hostname"], "h1");
    assert_eq!(find("job.submit")["subject"], format!("job {job}"));
    // What writes no record is noted by its path.
    assert_eq!(find("request.POST /runners/{hostname}/health")["subject"], "/api/v0/e/default/runners/h1/health");
    // Questions and the engine's own doings are not acts.
    assert!(log.as_array().unwrap().iter().all(|row| !row["action"].as_str().unwrap().contains("GET")), "{log}");

    let checked = house.shunt(&["audit", "check"]);
    checked.expect(0, &[]);
    let head = checked.text().lines().next().unwrap_or_default().to_owned();
    house.shunt(&["ctl", "label", "h1", "-gpu"]).expect(0, &[]);
    house.shunt(&["audit", "check", "--head", &head]).expect(0, &[]);
    let (rows, _) = head.split_once(':').expect("ROWS:HASH");
    let other = format!("{rows}:{}", "0".repeat(64));
    house.shunt(&["audit", "check", "--head", &other]).expect(1, &["is gone or another"]);
    house.shunt(&["audit", "check", "--head", "7"]).expect(2, &["ROWS:HASH"]);
    house.shunt(&["audit", "--action", "runner", "--since", "1h"]).expect(0, &["runner.change", "runner h1", "admin"]);
    house.shunt(&["audit", "--since", "soon"]).expect(2, &["soon", "duration"]);
}

#[test]
fn a_request_that_changed_nothing_leaves_no_row() {
    let house = House::start();
    let before = house.api("audit");
    let token = house.token();
    for (method, path, body) in [
        ("POST", "/api/v0/e/default/jobs", Some(&b"{}"[..])),
        ("DELETE", "/api/v0/e/default/runners/nobody", None),
        ("GET", "/api/v0/e/default/jobs", None),
    ] {
        request(house.address(), method, path, Some(&token), body);
    }
    request(house.address(), "POST", "/api/v0/e/default/orgs", None, Some(br#"{"name":"shop"}"#));
    assert_eq!(house.api("audit"), before);
}
