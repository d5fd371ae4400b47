//! Hosts that are away, show another key, refuse the login, or are being removed.

use std::time::{Duration, Instant};

use super::house::{House, await_that, await_truth, host, truth};
use super::store_faults::{allow, refuse_statement};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// How many connections the host's sshd has seen.
fn connections(host: &TestHost) -> usize {
    host.log().matches("Connection from ").count()
}

/// Connections that arrive within this time.
fn connections_within(host: &TestHost, time: Duration) -> usize {
    let (before, until) = (connections(host), Instant::now() + time);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    connections(host) - before
}

fn start_waiting_job(house: &House, host: &TestHost) -> String {
    let id = house.submit(&[], "echo up >>~/up; until [ -e ~/go ]; do sleep 0.1; done; echo done");
    await_truth(host, "up", "up");
    house.await_state(&id, &["running"]);
    id
}

#[test]
fn a_cancel_during_an_outage_is_carried_out_when_the_host_is_back() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = start_waiting_job(&house, &host);
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.shunt(&["cancel", &id]).expect(0, &[]);
    assert_eq!(house.job(&id)["state"], "running", "silence is no evidence");
    house.kill();
    house.start_again();
    assert_eq!(house.job(&id)["state"], "running", "nor is a restart");
    host.restart();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_host_with_another_key_is_quarantined_not_asked_again_and_its_job_is_not_called_lost() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = start_waiting_job(&house, &host);
    host.kill_sshd();
    let key = "/etc/ssh/ssh_host_ed25519_key";
    host.run_inside(&format!("cp -p {key} /tmp/key && rm {key} && ssh-keygen -q -t ed25519 -N '' -f {key}"));
    host.restart();
    let state = || house.api("runners/u1")["state"].clone();
    await_that("it is quarantined", || state() == "quarantined", || house.log());
    assert_eq!(connections_within(&host, Duration::from_secs(6)), 0, "a quarantined host was asked again");
    assert_eq!(house.job(&id)["state"], "running");
}

#[test]
fn a_host_that_refuses_the_login_is_not_asked_again_soon_until_it_is_tested() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = start_waiting_job(&house, &host);
    host.kill_sshd();
    host.run_inside("mv /home/deploy/.ssh/authorized_keys /tmp/keys");
    host.restart();
    let refused = || house.log().contains("not connecting again soon");
    await_that("the login is refused", refused, || house.log());
    assert_eq!(connections_within(&host, Duration::from_secs(6)), 0, "refusals are counted against our address");
    host.run_inside("mv /tmp/keys /home/deploy/.ssh/authorized_keys; touch /home/deploy/go");
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    assert_eq!(house.await_end(&id)["state"], "succeeded");
    assert_eq!(truth(&host, "up"), "up\n");
}

#[test]
fn a_runner_whose_removal_failed_behind_its_host_is_given_no_job() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    refuse_statement(&house, "BEFORE DELETE ON runners");
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(1, &["forget"]);
    let id = house.submit(&[], "true");
    // Whoever explains has looked at the job: it would have been placed.
    house.shunt(&["explain", &id]).expect(0, &["draining"]);
    assert_eq!(house.job(&id)["state"], "queued", "the job went to a host that was cleaned");
    assert_eq!(house.api("runners/u1")["state"], "draining");
    allow(&house);
    house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]).expect(0, &[]);
    house.enrol(&host, 1);
    assert_eq!(house.await_end(&id)["state"], "succeeded");
}
