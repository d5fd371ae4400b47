//! `shunt run --all` and `shunt fan-out`: every matching runner, canaries, batches, failures, and what follows.

use serde_json::Value;

use super::client::Ran;
use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{CENTOS_7, TestHost, UBUNTU_2204};

/// A job that says where it ran, and fails where `~/bad` is.
const WORK: &str = "hostname >>~/ran; echo at $(hostname); [ ! -e ~/bad ] || exit 7";

fn hosts(names: &[&str]) -> Vec<TestHost> {
    names.iter().map(|name| host(name, UBUNTU_2204)).collect()
}

fn house(hosts: &[TestHost]) -> House {
    House::with(&hosts.iter().map(|host| (host, 1)).collect::<Vec<_>>())
}

fn run_all(house: &House, flags: &[&str], script: &str) -> Ran {
    house.shunt(&[&["run", "--all"], flags, &["--", "sh", "-c", script]].concat())
}

/// How often it ran on each host.
fn ran(hosts: &[TestHost]) -> Vec<usize> {
    hosts.iter().map(|host| truth(host, "ran").lines().count()).collect()
}

/// The newest fan-out.
fn newest(house: &House) -> Value {
    let id = house.api("fan_outs?limit=1")[0]["id"].as_str().expect("a fan-out").to_owned();
    house.api(&format!("fan_outs/{id}"))
}

fn await_status(house: &House, id: &str, status: &str) -> Value {
    let shown = || house.api(&format!("fan_outs/{id}"));
    await_that(&format!("the fan-out is {status}"), || shown()["status"] == status, || format!("{:#}", shown()));
    shown()
}

#[test]
fn every_matching_runner_runs_it_once_and_is_shown_in_a_table() {
    let ubuntus = hosts(&["u1", "u2"]);
    let centos = host("c1", CENTOS_7);
    let house = house(&ubuntus);
    house.enrol(&centos, 1);
    let planned = run_all(&house, &["--filter", "platform=ubuntu", "--dry-run"], WORK);
    planned.expect(0, &["nothing was run"]);
    assert_eq!(planned.text(), "u1\nu2\n");
    let ended = run_all(&house, &["--filter", "platform=ubuntu"], WORK);
    ended.expect(0, &["2 runners: u1, u2", "u1 | at u1", "u2 | at u2", "HOST", "succeeded: 2 succeeded"]);
    assert_eq!((ran(&ubuntus), truth(&centos, "ran")), (vec![1, 1], String::new()));

    // What takes no jobs is left out, and said so.
    house.shunt(&["ctl", "disable", "u2", "--reason", "rain"]).expect(0, &[]);
    let ended = run_all(&house, &["--json"], WORK);
    ended.expect(0, &["1 left out: u2 (disabled)"]);
    let shown: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!((&shown["status"], &shown["counts"]["succeeded"]), (&"succeeded".into(), &2.into()), "{shown}");
    assert_eq!(shown["rows"][0]["hostname"], "c1");
    house.shunt(&["fan-out", "list"]).expect(0, &["2 succeeded"]);
    house.shunt(&["fan-out", "show", shown["id"].as_str().unwrap()]).expect(0, &["u2 (disabled)", "c1    succeeded"]);
    let job = house.job(shown["rows"][0]["job"].as_str().unwrap());
    assert_eq!((&job["fan_out"], &job["runner"]), (&shown["id"], &"c1".into()), "{job}");
    house.shunt(&["jobs", "--all", "--fan-out", shown["id"].as_str().unwrap()]).expect(0, &["c1", "u1"]);
    assert_eq!(
        house.api(&format!("jobs?state=all&fan_out={}", shown["id"].as_str().unwrap())).as_array().unwrap().len(),
        2
    );
}

#[test]
fn a_canary_that_fails_keeps_the_others_from_starting_and_a_rerun_takes_what_is_left() {
    let hosts = hosts(&["h1", "h2", "h3"]);
    let house = house(&hosts);
    hosts[0].run_inside("touch /home/deploy/bad");
    let ended = run_all(&house, &["--canary", "1"], WORK);
    ended
        .expect(7, &["failed (canary)", "not run, canary failed", "a canary has not succeeded", "shunt fan-out rerun"]);
    assert_eq!(ran(&hosts), [1, 0, 0]);
    let first = newest(&house);
    assert_eq!((&first["status"], &first["halted"]), (&"failed".into(), &"canary_failed".into()), "{first}");

    hosts[0].run_inside("rm /home/deploy/bad");
    hosts[1].run_inside("touch /home/deploy/bad");
    house.shunt(&["fan-out", "rerun", first["id"].as_str().unwrap(), "-q"]).expect(7, &["h3 | at h3"]);
    assert_eq!(ran(&hosts), [2, 1, 1]);
    let second = newest(&house);
    assert_eq!((&second["repeats"], &second["canary"]), (&first["id"], &1.into()));

    // Only the one that failed; then there is nothing left.
    hosts[1].run_inside("rm /home/deploy/bad");
    house.shunt(&["fan-out", "rerun", second["id"].as_str().unwrap()]).expect(0, &["1 runner: h2"]);
    assert_eq!(ran(&hosts), [2, 2, 1]);
    let last = newest(&house);
    let again = house.shunt(&["fan-out", "rerun", last["id"].as_str().unwrap()]);
    again.expect(1, &["every row of the fan-out has succeeded"]);
}

#[test]
fn a_batch_keeps_its_width_and_too_many_failures_halt_it() {
    let hosts = hosts(&["h1", "h2", "h3", "h4"]);
    let house = house(&hosts);
    for host in &hosts[..2] {
        host.run_inside("touch /home/deploy/bad");
    }
    let ended = run_all(&house, &["--batch", "25%", "--max-failures", "1"], WORK);
    ended.expect(7, &["too many have failed", "not run, max failures"]);
    assert_eq!(ran(&hosts), [1, 1, 0, 0]);

    // One at a time: no two lie over each other in the order of their times.
    let ended = run_all(&house, &["--batch", "1", "--json"], "echo begun; sleep 0.2; echo over");
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let time = |row: &Value, key: &str| row[key].as_str().expect("a time").to_owned();
    let rows = shown["rows"].as_array().expect("rows");
    for pair in rows.windows(2) {
        assert!(time(&pair[0], "finished_at") <= time(&pair[1], "started_at"), "{shown:#}");
    }
}

#[test]
fn a_dispatcher_killed_in_the_middle_has_each_host_run_it_exactly_once() {
    let hosts = hosts(&["h1", "h2", "h3", "h4"]);
    let mut house = house(&hosts);
    let script = "hostname >>~/ran; until [ -e ~/go ]; do sleep 0.05; done";
    let run = house.begin(&["run", "--all", "--batch", "2", "--", "sh", "-c", script]);
    await_truth(&hosts[0], "ran", "h1");
    await_truth(&hosts[1], "ran", "h2");
    house.kill();
    hosts.iter().for_each(|host| drop(host.run_inside("touch /home/deploy/go")));
    house.start_again();
    run.end().expect(0, &["succeeded: 4 succeeded"]);
    assert_eq!(ran(&hosts), [1, 1, 1, 1]);

    // Killed at once behind the answer: it goes on without anybody.
    let id = run_all(&house, &["--detach", "--batch", "1"], "hostname >>~/ran").text().trim().to_owned();
    house.kill();
    house.start_again();
    await_status(&house, &id, "succeeded");
    assert_eq!(ran(&hosts), [2, 2, 2, 2]);
}

#[test]
fn ctrl_c_ends_all_of_it_and_a_second_one_leaves() {
    let hosts = hosts(&["h1", "h2"]);
    let house = house(&hosts);
    let run =
        house.begin(&["run", "--all", "--batch", "1", "--", "sh", "-c", "echo begun; while :; do sleep 0.05; done"]);
    run.await_output("h1 | begun");
    run.interrupt();
    run.end().expect(130, &["cancelling all of it", "not run, cancelled", "cancelled: 1 failed, 1 not run"]);
    assert_eq!(house.api("jobs"), serde_json::json!([]));

    let stubborn = "trap '' TERM; echo begun; until [ -e ~/go ]; do sleep 0.05; done";
    let run = house.begin(&["run", "--all", "--", "sh", "-c", stubborn]);
    run.await_output("h1 | begun");
    run.await_output("h2 | begun");
    let id = newest(&house)["id"].as_str().unwrap().to_owned();
    house.shunt(&["fan-out", "rerun", &id]).expect(1, &["has not ended"]);
    let follower = house.begin(&["fan-out", "follow", &id]);
    follower.await_output("h2 | begun");
    follower.interrupt();
    follower.end().expect(130, &["the fan-out goes on"]);
    run.interrupt();
    run.await_note("Ctrl-C again to leave");
    run.interrupt();
    run.end().expect(130, &["shunt fan-out"]);
    // A job that ends before the cancel reaches its host keeps its own result.
    for host in &hosts {
        let reached = || host.exec_inside("ls /home/deploy/.cache/shuntyard/j/*/cancel").status.success();
        await_that("the cancel reaches the host", reached, || house.log());
    }
    hosts.iter().for_each(|host| drop(host.run_inside("touch /home/deploy/go")));
    await_status(&house, &id, "cancelled");
}

#[test]
fn a_runner_that_is_deleted_or_away_does_not_keep_it_open() {
    let hosts = hosts(&["h1", "h2", "h3"]);
    let house = house(&hosts);
    for host in &hosts[1..] {
        host.kill_sshd();
        house.await_contact(host, "unreachable");
    }
    let id = run_all(&house, &["--detach", "--queue-limit", "1s", "--filter", "hostname=h1,h2"], WORK);
    let shown = await_status(&house, id.text().trim(), "failed");
    assert_eq!((&shown["rows"][0]["state"], &shown["rows"][1]["state"]), (&"succeeded".into(), &"expired".into()));

    let id =
        run_all(&house, &["--detach", "--batch", "1", "--filter", "hostname=h2,h3"], WORK).text().trim().to_owned();
    await_that(
        "its first row waits",
        || house.api(&format!("fan_outs/{id}"))["counts"]["running"] == 1,
        || house.log(),
    );
    for name in ["h3", "h2"] {
        house.shunt(&["ctl", "delete-runner", name, "--yes", "--force"]).expect(0, &[]);
    }
    let shown = await_status(&house, &id, "failed");
    assert_eq!(shown["rows"][0]["row_not_run"], "runner_deleted", "{shown:#}");
    assert_eq!(shown["rows"][1]["state"], "not_run", "{shown:#}");
    house.shunt(&["fan-out", "rerun", &id]).expect(1, &["h2 (deleted)"]);
    assert_eq!(ran(&hosts), [1, 0, 0]);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_runs() {
    let hosts = hosts(&["h1"]);
    let house = house(&hosts);
    for (flags, code, said) in [
        (&["--batch", "0"][..], 2, "a batch of nothing"),
        (&["--batch", "0%"], 2, "a batch of nothing"),
        (&["--batch", "110%"], 2, "neither a number (5) nor a part of all (10%)"),
        (&["--max-failures", "x"], 2, "neither a number"),
        (&["--canary", "2"], 1, "2 canaries are more than the 1 runner(s)"),
        (&["--filter", "platform=plan9"], 1, "no runner that takes jobs matches {\"platform\":[\"plan9\"]}"),
        (&["--filter", "os=linux", "--dry-run", "--canary", "2"], 1, "2 canaries"),
    ] {
        run_all(&house, flags, WORK).expect(code, &[said]);
    }
    house.shunt(&["run", "--canary", "1", "--", "true"]).expect(2, &["--all"]);
    house.shunt(&["run", "--all", "--phase", "unit"]).expect(2, &["cannot be used"]);
    house.shunt(&["fan-out", "show", "xyz"]).expect(2, &["`xyz` is not", "shunt fan-out list"]);
    let unknown = "01890000-0000-7000-8000-000000000001";
    for verb in ["show", "follow", "cancel", "rerun"] {
        house.shunt(&["fan-out", verb, unknown]).expect(1, &["there is no fan-out", "shunt fan-out list"]);
    }
    for (body, said) in [
        (r#"{"job": {"script": "true"}, "canaries": 1}"#, "unknown field `canaries`"),
        (r#"{"job": {"script": " "}}"#, "job.script"),
        (r#"{"job": {"script": "true", "filter": {"labels": ["A B"]}}}"#, "job.filter.labels[0]"),
        (r#"{"job": {"script": "true"}, "batch": "0%"}"#, "a batch of nothing"),
        (r#"{"job": {"script": "true"}, "max_failures": -1}"#, "max_failures"),
    ] {
        house.shunt(&["api", "post", "fan_outs", "-d", body]).expect(1, &[said]);
    }
    house.shunt(&["api", "get", "fan_outs?status=ended"]).expect(1, &["there is no status `ended`"]);
    house.shunt(&["ctl", "disable", "h1"]).expect(0, &[]);
    run_all(&house, &[], WORK).expect(1, &["left out: h1 (disabled)"]);
    assert_eq!(ran(&hosts), [0]);
    assert_eq!(house.api("fan_outs"), serde_json::json!([]));
}
