//! Limits of groups and projects over real hosts: who waits, who is named, who starts when the holder ends.

use serde_json::Value;

use super::house::{BLOCKER, House, await_that, host, truth};
use super::project::Project;
use crate::support::sshd::{TestHost, UBUNTU_2204};

fn open_the_gate(host: &TestHost) {
    std::fs::write(host.path("home/deploy/go"), "").expect("the file that ends the blocker");
}

#[test]
fn the_second_job_of_a_group_waits_for_the_first_and_others_pass_it() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 4)]);
    let first = house.submit(&["--concurrency", "prod"], BLOCKER);
    house.await_state(&first, &["running"]);
    let second = house.submit(&["--concurrency", "prod"], "echo second >> ~/order");
    let other = house.submit(&[], "echo other >> ~/order");
    house.await_state(&other, &["succeeded"]);

    let told = house.api(&format!("jobs/{second}/explain"));
    let limit = &told["limits"][0];
    assert_eq!((&told["verdict"], &limit["name"]), (&"not_now".into(), &"prod".into()), "{told}");
    assert_eq!((&limit["running"], &limit["holders"][0]["job"]), (&1.into(), &first.as_str().into()), "{told}");
    assert!(limit["holders"][0]["since"].is_string(), "{told}");
    house.shunt(&["explain", &second]).expect(0, &["not now: waits for group `prod`", &format!("held by {first}")]);

    // The holder holds across a restart, too.
    house.kill();
    house.start_again();
    await_that(
        "the second job waits for the first again",
        || house.api(&format!("jobs/{second}/explain"))["limits"][0]["reached"] == true,
        || house.job(&second).to_string(),
    );

    let following = house.begin(&["explain", &second, "--follow"]);
    following.await_output("waits for group `prod`");
    open_the_gate(&host);
    house.await_state(&second, &["succeeded"]);
    following.end().expect(0, &["waits no more: it is"]);
    assert_eq!(truth(&host, "order"), "other\nsecond\n");
}

#[test]
fn a_projects_limit_is_set_raised_and_taken_away_and_concerns_no_other_project() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 4)]);
    let limit = |house: &House, words: &[&str]| house.shunt(&[&["project", "limit", "web"], words].concat());
    limit(&house, &[]).expect(0, &["project web has no limit"]);
    limit(&house, &["1"]).expect(0, &["1 job of project web may run at a time"]);
    let of_web = serde_json::json!({"project": "web"});
    let first = house.submit_with(BLOCKER, &of_web);
    house.await_state(&first, &["running"]);
    let second = house.submit_with("true", &of_web);
    let other = house.submit_with("true", &serde_json::json!({"project": "api"}));
    house.await_state(&other, &["succeeded"]);
    assert_eq!(house.job(&second)["state"], "queued");

    // A limit outlives the dispatcher.
    house.kill();
    house.start_again();
    limit(&house, &[]).expect(0, &["1 job of project web"]);
    let told = house.api(&format!("jobs/{second}/explain"));
    assert_eq!(told["limits"][0]["kind"], "project", "{told}");
    assert_eq!(told["limits"][0]["holders"][0]["project"], "web", "{told}");

    limit(&house, &["none"]).expect(0, &["no limit"]);
    house.await_state(&second, &["succeeded"]);
    assert_eq!(house.job(&first)["state"], "running");
    open_the_gate(&host);
    house.await_state(&first, &["succeeded"]);
}

#[test]
fn limits_that_cannot_be_are_refused_with_what_is_allowed() {
    let house = House::start();
    house.shunt(&["run", "--concurrency", "a b", "--", "true"]).expect(2, &["starting with a letter or digit"]);
    house.shunt(&["run", "--concurrency", "g=0", "--", "true"]).expect(2, &["GROUP or GROUP=N"]);
    house.shunt(&["project", "limit", "web", "many"]).expect(2, &["a number of jobs, or none"]);
    let refused = |body: &str| {
        let ran = house.shunt(&["api", "post", "jobs", "-d", body]);
        assert_ne!(ran.code, 0, "{body}");
        ran.stderr + &String::from_utf8_lossy(&ran.stdout)
    };
    let told = refused(r#"{"script":"true","concurrency":{"group":"-x"}}"#);
    assert!(told.contains("concurrency.group"), "{told}");
    let told = refused(r#"{"script":"true","concurrency":{"group":"x","limit":0}}"#);
    assert!(told.contains("concurrency.limit"), "{told}");
    let jobs: Value = house.api("jobs?state=all");
    assert_eq!(jobs.as_array().map(Vec::len), Some(0));
}

#[test]
fn a_change_whose_phase_is_larger_than_its_project_may_have_is_refused_before_anything_runs() {
    let house = House::start();
    let config = format!(
        r#"{{"job_dispatch": {{"version": "v2"}}, "phases": {{"unit": {{"run": "true #{}", "output_cap_mib": 9}}}}}}"#,
        "x".repeat(2000)
    );
    let project = Project::new(&house, "hello", &[("config.json", &config)]);
    project.commit("Is large");
    let limit = |words: &[&str]| house.shunt(&[&["project", "limit", "hello"], words].concat()).expect(0, &[]);
    limit(&["--script", "1KiB"]);
    let refused = ["the script has 2006 bytes; of project hello it may have 1024"];
    project.shunt(&house, &["change", "submit"]).expect(1, &refused);
    limit(&["--script", "default", "--log", "8MiB"]);
    let refused = ["9437184 bytes of output are to be kept; of a job of project hello up to 8388608 are"];
    project.shunt(&house, &["change", "submit"]).expect(1, &refused);
    house.shunt(&["change", "list"]).expect(0, &["no changes"]);
    limit(&["--log", "default"]);
    project.shunt(&house, &["change", "submit"]).expect(0, &[]);
}
