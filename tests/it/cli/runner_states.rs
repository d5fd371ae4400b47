//! Drain, disable, enable and delete: who wanted it, why, and what becomes of the jobs.

use serde_json::json;

use super::house::{BLOCKER, House, await_that, await_truth, host};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn a_drained_runner_ends_its_job_takes_no_more_and_says_who_wanted_it_and_why() {
    let (h1, mut house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 2);
    let running = house.submit(&[], &format!("echo x >~/began; {BLOCKER}"));
    await_truth(&h1, "began", "x\n");
    let ran = house.shunt(&["ctl", "drain", "h1", "--reason", "new kernel"]);
    ran.expect(0, &["h1: draining since ", " by admin: new kernel; 1 job still runs there"]);
    let waiting = house.submit(&[], "true");
    let told = "the only matching runner is draining since ";
    house.shunt(&["explain", &waiting]).expect(0, &[told, " by admin: new kernel", "enable `h1` again"]);
    house.shunt(&["ctl", "list-runners"]).expect(0, &["draining since ", "by admin: new kernel"]);
    h1.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&running)["state"], "succeeded");
    assert_eq!(house.job(&waiting)["state"], "queued");

    // It is stored: a restart forgets neither the state nor why.
    assert!(house.terminate().success());
    house.start_again();
    let runner = house.api("runners/h1");
    assert_eq!(
        (&runner["state"], &runner["state_note"]["reason"]),
        (&json!("draining"), &json!("new kernel")),
        "{runner}"
    );
    house.shunt(&["ctl", "disable", "h1", "--reason", "broken disk"]).expect(0, &["disabled since", "broken disk"]);
    house.shunt(&["explain", &waiting]).expect(0, &["is disabled since", "broken disk"]);
    house.shunt(&["ctl", "enable", "h1"]).expect(0, &["h1: enrolled since ", " by admin"]);
    assert_eq!(house.await_end(&waiting)["state"], "succeeded");
    let events = house.api("runners/h1/events");
    let states: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["changes"]["state"]["after"].clone()).collect();
    assert_eq!(json!(states), json!(["draining", "disabled", "enrolled"]), "{events}");
    assert_eq!((&events[0]["reason"], &events[0]["by"]), (&json!("new kernel"), &json!("admin")));
    let shown =
        ["ubuntu 22.04", "2 of 2 free", "SHA256:", "its last jobs", "changed by admin, ", "\"draining\": new kernel"];
    house.shunt(&["ctl", "show-runner", "h1"]).expect(0, &shown);
    house.shunt(&["ctl", "show-runner", "h9"]).expect(1, &["h9"]);
    house.shunt(&["ctl", "drain", "h1", "h9"]).expect(1, &["h9"]);
    assert_eq!(house.api("runners/h1")["state"], "enrolled");
}

#[test]
fn deleting_with_drain_waits_for_the_jobs_and_their_history_keeps_what_the_runner_was() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 1);
    house.shunt(&["ctl", "label", "h1", "+gpu"]).expect(0, &[]);
    let job = house.submit(&[], &format!("echo x >~/began; {BLOCKER}"));
    await_truth(&h1, "began", "x\n");
    house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(1, &["1 running job"]);
    let deleting = house.begin(&["ctl", "delete-runner", "h1", "-y", "--drain"]);
    let draining = || house.api("runners/h1")["state"] == "draining";
    await_that("the runner is draining", draining, || house.api("runners/h1").to_string());
    house.await_state(&job, &["running"]);
    h1.run_inside("touch /home/deploy/go");
    deleting.end().expect(0, &["waiting for 1 job", "0 jobs left", "removed key", "runner h1 is removed"]);
    house.shunt(&["jobs", &job]).expect(0, &["runner h1 (ubuntu 22.04, ", ", gpu) was deleted at "]);
    house.shunt(&["ctl", "show-runner", "h1"]).expect(0, &["h1: deleted", "deleted by admin"]);
    let job = house.job(&job);
    assert_eq!((&job["state"], &job["runner"]), (&json!("succeeded"), &json!("h1")), "{job}");
    let kept = &job["deleted_runner"];
    assert_eq!((&kept["hostname"], &kept["labels"]), (&json!("h1"), &json!(["gpu"])), "{job}");
    assert_eq!((&kept["facts"]["platform"], &kept["facts"]["platform_version"]), (&json!("ubuntu"), &json!("22.04")));
    let events = house.api("runners/h1/events");
    assert_eq!(
        events.as_array().and_then(|all| all.last()).map(|last| &last["event"]),
        Some(&json!("deleted")),
        "{events}"
    );
    assert_eq!(house.api("runners"), json!([]));
}

#[test]
fn a_delete_that_is_interrupted_while_it_waits_leaves_a_draining_runner_that_can_be_enabled() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 1);
    let job = house.submit(&[], &format!("echo x >~/began; {BLOCKER}"));
    await_truth(&h1, "began", "x\n");
    let deleting = house.begin(&["ctl", "delete-runner", "h1", "-y", "--drain"]);
    let draining = || house.api("runners/h1")["state"] == "draining";
    await_that("the runner is draining", draining, || house.api("runners/h1").to_string());
    drop(deleting);
    // While it holds the runner, another one is told that it is under way.
    let let_go = || house.shunt(&["ctl", "delete-runner", "h1", "-y"]).stderr.contains("1 running job");
    await_that("the interrupted delete has let go", let_go, || house.log());
    assert_eq!(house.api("runners/h1")["state"], "draining");
    h1.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    house.shunt(&["ctl", "enable", "h1"]).expect(0, &["h1: enrolled"]);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    house.shunt(&["ctl", "test-runner", "h1"]).expect(0, &["runner h1 is ok"]);
}

#[test]
fn deleting_with_cancel_jobs_waits_for_the_proof_that_they_ended() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 2);
    let jobs: Vec<String> = (0..2).map(|n| house.submit(&[], &format!("echo x >~/began{n}; sleep 8467"))).collect();
    await_truth(&h1, "began0", "x\n");
    await_truth(&h1, "began1", "x\n");
    let ran = house.shunt(&["ctl", "delete-runner", "h1", "-y", "--cancel-jobs"]);
    ran.expect(0, &["cancelling 2 jobs", "removed key", "runner h1 is removed"]);
    for job in &jobs {
        let job = house.job(job);
        // Stopped by the host's word, not given up.
        assert_eq!((&job["state"], &job["stop_reason"]), (&json!("cancelled"), &json!("user")), "{job}");
        assert!(job["receipt"].is_object(), "{job}");
    }
    h1.run_inside("! pgrep -f 'sleep 846[7]'");
    house.shunt(&["ctl", "delete-runner", "h1", "-y", "--drain", "--force"]).expect(2, &["cannot be used with"]);
}
