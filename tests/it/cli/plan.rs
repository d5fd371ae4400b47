//! `shunt plan`: what would run and where, before anything runs.

use super::house::{House, host, truth};
use super::project::{Project, newest_change};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn a_plan_says_what_would_run_where_and_what_is_otherwise_than_last_time() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let config = |platform: &str, run: &str| {
        let filters = serde_json::json!({"unit": [{"platform": [platform]}]});
        let dispatch = serde_json::json!({"version": "v2", "filters": filters});
        serde_json::json!({"job_dispatch": dispatch, "phases": {"unit": {"run": run}}}).to_string()
    };
    let project = Project::new(&house, "hello", &[("config.json", &config("ubuntu", "echo >>~/runs"))]);
    let plan = |flags: &[&str]| project.shunt(&house, &[&["plan", "--stage", "verify"], flags].concat());
    plan(&[])
        .expect(0, &["verify: can run", "{\"platform\":[\"ubuntu\"]}", "u1", "echo >>~/runs", "no run of this stage"]);
    assert_eq!(truth(&host, "runs"), "", "a plan starts nothing");
    assert_eq!(house.api("changes"), serde_json::json!([]));
    project.shunt(&house, &["run", "--stage", "verify", "--dirty", "-q"]).expect(0, &[]);
    let id = newest_change(&house);
    plan(&[]).expect(0, &["as in the last run (passed", &id]);
    project.write("config.json", &config("ubunto", "echo again"));
    let impossible = plan(&[]);
    impossible.expect(1, &["verify: cannot run", "nobody", "platform `ubunto`; did you mean `ubuntu`?"]);
    impossible.expect(1, &["unit of hello: run, + {\"platform\":[\"ubunto\"]}, - {\"platform\":[\"ubuntu\"]}"]);
    let of_change = plan(&["--change", &id]);
    of_change.expect(0, &["verify: can run", "echo >>~/runs"]);
    let json: serde_json::Value = serde_json::from_slice(&plan(&["--json"]).stdout).expect("JSON");
    assert_eq!((&json["stages"][0]["runnable"], &json["stages"][0]["stage"]), (&false.into(), &"verify".into()));
    // Every stage, when none is named.
    project.shunt(&house, &["plan"]).expect(1, &["build: cannot run", "delivered: can run"]);
    // What only the server finds faulty.
    project.write("config.json", r#"{"phases": {"unit": {"run": "true", "env": {"SHUNT_X": "1"}}}}"#);
    plan(&[]).expect(2, &["SHUNT_X", "begin with SHUNT_"]);
    project.shunt(&house, &["change", "submit", "--dirty"]).expect(2, &["SHUNT_X"]);
}
