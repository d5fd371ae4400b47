//! `shunt cancel --all`: many jobs at a time, by project, state, runner and fan-out.

use serde_json::Value;

use super::house::{BLOCKER, House, host};
use crate::support::sshd::UBUNTU_2204;

fn unfinished(house: &House) -> Vec<String> {
    let jobs = house.api("jobs");
    let mut titles: Vec<String> =
        jobs.as_array().expect("jobs").iter().map(|job| job["title"].as_str().expect("a title").to_owned()).collect();
    titles.sort();
    titles
}

#[test]
fn jobs_are_cancelled_by_project_state_and_runner_and_the_others_stay() {
    let (u1, u2) = (host("u1", UBUNTU_2204), host("u2", UBUNTU_2204));
    let house = House::with(&[(&u1, 1), (&u2, 1)]);
    house.shunt(&["ctl", "label", "u1", "+gpu"]).expect(0, &[]);
    let on = |filter: &str, title: &str| house.submit(&["--filter", filter, "--title", title], BLOCKER);
    let running = on("labels=gpu", "gpu-running");
    house.await_state(&running, &["running"]);
    on("labels=gpu", "gpu-queued");
    let other = on("hostname=u2", "other-running");
    house.await_state(&other, &["running"]);
    on("hostname=u2", "other-queued");
    on("os=linux", "anywhere");
    on("platform=plan9", "nowhere");
    let shop = house
        .submit_with("true", &serde_json::json!({"project": "shop", "title": "shop", "filter": {"os": ["plan9"]}}));

    // Without a terminal it does nothing unless it is told to.
    house.shunt(&["cancel", "--all"]).expect(2, &["add --yes"]);
    house.shunt(&["cancel", "--project", "shop"]).expect(2, &["--all"]);
    house.shunt(&["cancel"]).expect(2, &["<ID>"]);
    house.shunt(&["cancel", "--all", &shop, "--yes"]).expect(2, &["cannot be used"]);
    let planned = house.shunt(&["cancel", "--all", "--filter", "labels=gpu", "--dry-run"]);
    planned.expect(0, &["2 jobs: 1 queued, 1 running; nothing was cancelled", "gpu-running"]);
    assert_eq!(unfinished(&house).len(), 7);

    house.shunt(&["cancel", "--all", "--project", "shop", "--yes"]).expect(0, &[&shop, "1 job: 1 queued"]);
    house.shunt(&["cancel", "--all", "--filter", "labels=gpu", "--yes"]).expect(0, &["2 jobs: 1 queued, 1 running"]);
    house.await_end(&running);
    assert_eq!(unfinished(&house), ["anywhere", "nowhere", "other-queued", "other-running"]);
    let ended = house.shunt(&["cancel", "--all", "--state", "queued", "--filter", "hostname=u2", "--yes", "--json"]);
    let cancelled: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(cancelled.as_array().map(Vec::len), Some(1), "{cancelled}");
    assert_eq!(cancelled[0]["title"], "other-queued");
    house.shunt(&["cancel", "--all", "--yes"]).expect(0, &[]);
    house.await_end(&other);
    assert!(unfinished(&house).is_empty());
    house.shunt(&["cancel", "--all", "--yes"]).expect(0, &["0 jobs"]);
}

#[test]
fn the_jobs_of_a_fan_out_are_cancelled_and_no_further_ones_start() {
    let (u1, u2) = (host("u1", UBUNTU_2204), host("u2", UBUNTU_2204));
    let house = House::with(&[(&u1, 2), (&u2, 2)]);
    let beside = house.submit(&["--filter", "hostname=u1"], BLOCKER);
    let ran = house.shunt(&["run", "--all", "--detach", "--batch", "1", "--", "sh", "-c", BLOCKER]);
    let id = ran.text().trim().to_owned();
    let first = || house.api(&format!("fan_outs/{id}"))["rows"][0]["job"].as_str().map(str::to_owned);
    super::house::await_that("its first row is started", || first().is_some(), || house.log());
    house.await_state(&first().expect("a job"), &["running"]);
    house.shunt(&["cancel", "--all", "--fan-out", &id, "--yes"]).expect(0, &["cancel requested"]);
    let shown = || house.api(&format!("fan_outs/{id}"));
    super::house::await_that("it has ended", || shown()["status"] == "cancelled", || shown().to_string());
    assert_eq!(shown()["rows"][1]["row_not_run"], "cancelled");
    assert_eq!(house.job(&beside)["state"], "running");
    house.shunt(&["cancel", &beside]).expect(0, &[]);
    let unknown = "01890000-0000-7000-8000-000000000001";
    house.shunt(&["cancel", "--all", "--fan-out", unknown, "--yes"]).expect(1, &["there is no fan-out"]);
}
