//! Runners that take one job.

use serde_json::json;

use super::enrol::{Line, enrol, make_token};
use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

#[test]
fn a_one_off_runner_takes_one_job_and_is_removed_also_over_a_crash() {
    let (host, mut house) = (host("h1", UBUNTU_2204), House::start());
    let token = make_token(&house, &["--one-off", "--slots", "3"]);
    let line = Line { user: "deploy", ..Line::new(&token, &[]) };
    enrol(&house, &host, &line).expect(0, &["enrol: h1 is enrolled and takes jobs"]);
    house.await_contact(&host, "connected");
    let script = "echo x >>~/ran; until [ -e ~/go ]; do sleep 0.05; done";
    let first = house.submit(&[], script);
    let second = house.submit(&[], script);
    await_truth(&host, "ran", "x");
    let runner = house.api("runners/h1");
    assert_eq!((&runner["one_off"]["job"], &runner["slots_free"]), (&json!(first), &json!(0)), "{runner}");
    assert_eq!(house.job(&second)["state"], "queued");
    house.shunt(&["explain", &second]).expect(0, &["the only matching runner is spent", "one job only"]);

    house.kill();
    host.run_inside("touch /home/deploy/go");
    house.start_again();
    assert_eq!(house.await_end(&first)["state"], "succeeded");
    await_that("the runner is removed", || house.api("runners") == json!([]), || house.log());
    assert_eq!(truth(&host, "ran"), "x\n", "it ran a second job");
    assert_eq!(house.job(&second)["state"], "queued");
    assert_eq!(house.job(&first)["runner"], "h1");
    let events = house.api("runners/h1/events");
    let last = events.as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["by"]), (&json!("deleted"), &json!("the dispatcher")), "{events}");
    host.run_inside("! grep -q job_runner /home/deploy/.ssh/authorized_keys");
    house.shunt(&["cancel", &second]).expect(0, &[]);

    // The same host, by the bootstrap: a runner of its own.
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", "h1", "deploy", "--address", &host.address, "-p", &port, "-y", "--no-sudo"];
    let flags = ["--password-stdin", "--one-off"];
    let input = format!("{DEPLOY_PASSWORD}\n");
    let ran = house.begin_with_input(&[&words[..], &flags[..]].concat(), input.as_bytes()).end();
    ran.expect(0, &["h1 takes jobs"]);
    let third = house.submit(&[], "exit 7");
    assert_eq!(house.await_end(&third)["exit_code"], 7);
    await_that("the runner is removed", || house.api("runners") == json!([]), || house.log());
}
