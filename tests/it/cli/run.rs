//! `shunt run --phase`: matrix rows on matching runners, live, with the worst exit code.

use std::path::{Path, PathBuf};

use super::house::{House, await_that, host, truth};
use crate::support::sshd::{CENTOS_7, DEBIAN_12, UBUNTU_2204};

fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects").join(name)
}

fn matrix() -> String {
    project("matrix").to_str().expect("a path").to_owned()
}

#[test]
fn each_row_of_a_matrix_runs_on_a_matching_runner_and_streams_before_it_ends() {
    let hosts = [host("u1", UBUNTU_2204), host("c1", CENTOS_7), host("d1", DEBIAN_12)];
    let house = House::with(&hosts.each_ref().map(|host| (host, 2)));
    let run = house.begin(&["run", "--phase", "unit", "--project", &matrix()]);
    for (name, runner) in [("unit[ubuntu]", "u1"), ("unit[rhel]  ", "c1"), ("unit[debian]", "d1")] {
        run.await_output(&format!("{name} | begins on {runner}\n"));
    }
    // A start is stored a moment after its first output.
    let running = || house.api("jobs?state=running").as_array().map(Vec::len);
    await_that("all rows are running", || running() == Some(3), || house.log());
    for host in &hosts {
        host.run_inside("touch /home/deploy/go");
    }
    let ran = run.end();
    ran.expect(4, &["unit[debian] | row 2 of matrix ends in phase unit, hello 'from' config\n"]);
    for (runner, state) in [("u1", "failed"), ("c1", "failed"), ("d1", "succeeded")] {
        let line = ran.stderr.lines().find(|line| line.contains(&format!(" {runner} ")));
        assert!(line.is_some_and(|line| line.contains(state)), "{runner} is not {state} in the table:\n{}", ran.stderr);
    }
}

#[test]
fn a_phase_filter_replaces_the_default_and_other_phases_take_the_default() {
    let hosts = [host("u1", UBUNTU_2204), host("c1", CENTOS_7)];
    let house = House::with(&hosts.each_ref().map(|host| (host, 2)));
    // Merged with the default, this filter would match nobody.
    let ran = house.shunt(&["run", "--phase", "lint", "--project", &matrix()]);
    assert_eq!((ran.code, ran.text().as_str()), (0, "lint on c1\n"), "{}", ran.stderr);
    let ran = house.shunt(&["run", "--phase", "syntax", "--project", &matrix()]);
    assert_eq!((ran.code, ran.text().as_str()), (0, "syntax on u1\n"), "{}", ran.stderr);
}

#[test]
fn a_row_that_nobody_can_match_says_why_and_ctrl_c_cancels_it() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let run = house.begin(&["run", "--phase", "smoke", "--project", &matrix()]);
    run.await_output("smoke[ubuntu] | smoke on u1\n");
    run.await_note("smoke[plan9]: queued: no runner in the inventory can match: platform [\"plan9\"]");
    let waiting = &house.api("jobs")[0];
    assert_eq!(waiting["state"], "queued", "{waiting}");
    run.interrupt();
    run.end().expect(130, &["cancelled", "cancelled while queued"]);
    let job = house.job(waiting["id"].as_str().unwrap());
    assert_eq!((&job["state"], &job["attempt"]), (&"cancelled".into(), &0.into()), "{job}");
}

#[test]
fn skipped_commandless_and_faulty_phases_start_nothing_and_say_so() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    house.shunt(&["run", "--phase", "quality", "--project", &matrix()]).expect(0, &["skips this phase"]);
    house.shunt(&["run", "--phase", "publish", "--project", &matrix()]).expect(1, &["phases.publish.run", "`publish`"]);

    let dir = tempfile::tempdir().unwrap();
    let faulty =
        r#"{"job_dispatch": {"version": "v2", "filters": {"unti": {}, "lint": {"os": []}}}, "skip_phases": ["x"]}"#;
    std::fs::write(dir.path().join("config.json"), faulty).unwrap();
    let ran = house.shunt(&["run", "--phase", "unit", "--project", dir.path().to_str().unwrap()]);
    ran.expect(2, &["job_dispatch.filters.unti", "unit", "job_dispatch.filters.lint.os", "skip_phases[0]", "3 faults"]);

    // As in a stage, project.toml says what config.json does not.
    let chefs = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| std::fs::write(chefs.path().join(path), text).unwrap();
    std::fs::create_dir(chefs.path().join(".delivery")).unwrap();
    file("config.json", r#"{"phases": {"lint": {"run": "echo from config"}}, "skip_phases": ["unit"]}"#);
    file(".delivery/project.toml", "[local_phases]\nunit = \"echo from toml\"\nlint = 3\n");
    let run = |phase: &str| house.shunt(&["run", "--phase", phase, "--project", chefs.path().to_str().unwrap()]);
    run("unit").expect(2, &["project.toml:3:8: local_phases.lint"]);

    let empty = tempfile::tempdir().unwrap();
    let ran = house.shunt(&["run", "--phase", "unit", "--project", empty.path().to_str().unwrap()]);
    ran.expect(2, &["no configuration in", ".shuntyard/config.json"]);

    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
    assert_eq!(truth(&host, "never"), "");

    file("config.json", r#"{"phases": {"lint": {"run": "echo from config"}}}"#);
    file(".delivery/project.toml", "[local_phases]\nunit = \"echo from toml\"\nlint = \"echo never\"\n");
    run("unit").expect(0, &["from toml"]);
    run("lint").expect(0, &["from config"]);
}

#[test]
fn config_check_needs_no_server_and_tells_good_from_bad_by_its_exit_code() {
    let mut house = House::start();
    house.kill();
    let good = project("matrix").join("config.json");
    let good = good.to_str().unwrap();
    house.shunt(&["config", "check", good]).expect(0, &["unit", "rhel", "quality", "skipped"]);
    let report: serde_json::Value =
        serde_json::from_slice(&house.shunt(&["config", "check", "--json", good]).stdout).unwrap();
    assert_eq!((&report["valid"], &report["errors"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(report["phases"]["lint"]["filters"], serde_json::json!([{"platform_family": ["rhel"]}]));
    assert_eq!(report["phases"]["unit"]["filters"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["phases"]["quality"]["skip"], true);

    let slip = br#"{"skip_phase": ["unit"], "job_dispach": {}, "phases": {"unit": {"run": "true"}}}"#;
    for json in [&[][..], &["--json"]] {
        let slip = house.begin_with_input(&[&["config", "check", "-"], json].concat(), slip).end();
        slip.expect(0, &["`skip_phase` means nothing here; did you mean `skip_phases`", "did you mean `job_dispatch`"]);
        assert_eq!(json.is_empty(), slip.text().starts_with("PHASE"), "warnings are no data: {}", slip.text());
    }

    let bad = house.begin_with_input(&["config", "check", "-"], br#"{"job_dispatch": {"version": "v1"}}"#).end();
    bad.expect(1, &["job_dispatch.version", "1 fault"]);
    let bad = house.begin_with_input(&["config", "check", "--json", "-"], br#"{"phases": {"unti": {}}}"#).end();
    let report: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!((bad.code, &report["valid"], &report["errors"][0]["path"]), (1, &false.into(), &"phases.unti".into()));
    house.shunt(&["config", "check", "/no/such/file"]).expect(1, &["/no/such/file"]);
}
