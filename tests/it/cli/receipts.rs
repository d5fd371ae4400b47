//! What a stopped job's record says about its stop, checked by /proc of the host.

use serde_json::Value;

use super::house::{House, await_that, host, living, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// The processes that a job named in `~/pids`, as the host counts them.
fn named(host: &TestHost) -> Vec<u64> {
    truth(host, "pids").lines().map(|line| line.parse().unwrap()).collect()
}

/// A tree in which every process has left the group in another way.
const ESCAPEES: &str = "trap '' TERM; echo $$ >>~/pids; p=$HOME/pids\n\
    setsid sh -c 'echo $$ >>~/pids; exec sleep 1000' &\n\
    (setsid sh -c 'sleep 1001 & echo $! >>~/pids' &)\n\
    env -i PATH=\"$PATH\" sh -c \"echo \\$\\$ >>$p; exec sleep 1002\" &\n\
    env -i PATH=\"$PATH\" setsid sh -c \"echo \\$\\$ >>$p; exec sleep 1003\" &\n\
    setsid sh -c 'echo $$ >>~/pids; kill -STOP $$; exec sleep 1004' &\n\
    while :; do sleep 1; done";

fn await_tree(host: &TestHost) {
    await_that("the tree stands", || named(host).len() >= 6, || truth(host, "pids"));
    assert_eq!(living(host).lines().count(), 6, "{}", living(host));
}

/// Expects a receipt that names every process of the tree and leaves nothing.
fn expect_whole(host: &TestHost, job: &Value) {
    assert_eq!(living(host), "", "processes are left on the host");
    let receipt = &job["receipt"];
    let before = receipt["before"]["pids"].as_array().unwrap_or_else(|| panic!("no receipt: {job}"));
    for pid in named(host) {
        assert!(before.contains(&pid.into()), "{pid} is not in {receipt}");
    }
    assert_eq!(receipt["left"], serde_json::json!({"count": 0, "pids": []}), "{receipt}");
    let signals: Vec<&str> =
        receipt["signals"].as_array().unwrap().iter().map(|sent| sent["signal"].as_str().unwrap()).collect();
    assert!(signals.starts_with(&["TERM", "CONT"]) && signals.contains(&"KILL"), "{signals:?}");
    assert!(receipt["means"].as_array().unwrap().contains(&"environment".into()), "{receipt}");
}

#[test]
fn a_cancelled_job_keeps_the_receipt_of_its_stop() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit_with(ESCAPEES, &serde_json::json!({"stop_grace_s": 1}));
    await_tree(&host);
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    expect_whole(&host, &job);
    house.shunt(&["jobs", &id]).expect(0, &["cancelled", "stopped: ", "TERM to ", "nothing is left"]);
    house.shunt(&["explain", &id]).expect(0, &["does not wait", "stopped: ", "nothing is left"]);
    let shown = house.shunt(&["jobs", &id, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["receipt"], job["receipt"]);
    house.shunt(&["jobs", "01890000-0000-7000-8000-000000000001"]).expect(1, &["there is no job"]);
    house.await_empty_spool(&host);
}

#[test]
fn a_stop_that_nobody_followed_has_its_receipt_after_the_dispatcher_is_back() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = house.submit_with(ESCAPEES, &serde_json::json!({"stop_grace_s": 2}));
    await_tree(&host);
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let reached = || host.exec_inside("ls /home/deploy/.cache/shuntyard/j/*/cancel").status.success();
    await_that("the cancel reaches the host", reached, || house.log());
    house.kill();
    await_that("the host ends it alone", || living(&host).is_empty(), || living(&host));
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!(job["state"], "cancelled", "{job}");
    expect_whole(&host, &job);
}

#[test]
fn a_limit_leaves_a_receipt_and_a_job_that_ends_by_itself_none() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    // Time for the tree to stand, also on a loaded machine.
    let limited = house.submit_with(ESCAPEES, &serde_json::json!({"stop_grace_s": 1, "run_limit_s": 12}));
    let own = house.submit(&[], "sleep 1000 & exit 3");
    assert!(house.await_end(&own).get("receipt").is_none());
    house.shunt(&["jobs", &own]).expect(0, &["failed"]);
    let job = house.await_end(&limited);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"timed_out".into(), &"run_limit".into()), "{job}");
    assert_eq!(named(&host).len(), 6);
    expect_whole(&host, &job);
}
