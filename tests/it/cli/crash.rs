//! Crashes: of the dispatcher under a client, of sshd under a running job. Kills at random moments: `chaos/kills.rs`.

use super::client::Client;
use super::house::{BLOCKER, House, await_that, await_truth, host, truth};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn a_client_follows_its_job_over_the_crash_of_the_dispatcher() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let script = "for n in 1 2 3; do echo line $n; until [ -e ~/go$n ]; do sleep 0.02; done; done; exit 5";
    let run = house.begin(&["run", "--", "sh", "-c", script]);
    run.await_output("line 1\n");
    house.kill();
    host.run_inside("touch /home/deploy/go1");
    run.await_note("lost contact with the server");
    house.start_again();
    run.await_output("line 2\n");
    run.await_note("the server is back");
    host.run_inside("touch /home/deploy/go2 /home/deploy/go3");
    let ran = run.end();
    assert_eq!((ran.code, ran.text().as_str()), (5, "line 1\nline 2\nline 3\n"), "{}", ran.stderr);
}

#[test]
fn a_job_outlives_sshd_and_its_log_is_complete_when_sshd_is_back() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let script = "echo x >>~/starts; for n in $(seq 300); do echo line $n | tee -a ~/truth; sleep 0.01; done; exit 6";
    let id = house.submit(&[], script);
    house.await_state(&id, &["running"]);
    for line in [30, 110] {
        await_truth(&host, "truth", &format!("line {line}\n"));
        host.kill_sshd();
        house.await_contact(&host, "unreachable");
        assert_eq!(house.job(&id)["state"], "running", "silence is no evidence");
        await_truth(&host, "truth", &format!("line {}\n", line + 40));
        host.restart();
        house.await_contact(&host, "connected");
    }
    let job = house.await_end(&id);
    assert_eq!((&job["exit_code"], &job["truncated"], &job["attempt"]), (&6.into(), &false.into(), &1.into()), "{job}");
    assert_eq!(truth(&host, "starts"), "x\n");
    assert_eq!(house.shunt(&["logs", &id]).text(), truth(&host, "truth"));
}

#[test]
fn a_job_that_ended_while_sshd_was_away_is_settled_with_its_own_result() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(
        &[],
        "echo begun; touch ~/begun; until [ -e ~/go ]; do sleep 0.02; done; echo done; touch ~/done; exit 3",
    );
    await_that("it has begun", || host.path("home/deploy/begun").exists(), || house.log());
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    host.run_inside("touch /home/deploy/go");
    await_that("it has ended", || host.path("home/deploy/done").exists(), || house.log());
    // A cancel that comes too late does not change what happened.
    house.shunt(&["cancel", &id]).expect(0, &[]);
    host.restart();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["exit_code"]), (&"failed".into(), &3.into()), "{job}");
    assert_eq!(house.shunt(&["logs", &id]).text(), "begun\ndone\n");
    house.await_empty_spool(&host);
}

#[test]
fn a_job_behind_one_that_was_followed_again_starts_at_its_first_placement() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let first = house.submit(&[], BLOCKER);
    house.await_state(&first, &["running"]);
    let behind = house.submit(&[], "echo behind");
    for lose_link in [false, true] {
        if lose_link {
            host.restart();
        } else {
            house.kill();
            house.start_again();
        }
        house.await_contact(&host, "connected");
    }
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&first)["state"], "succeeded");
    // The slot is free at once, and so is the channel on which the first job's end was heard.
    let job = house.await_end(&behind);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{job}\n{}", house.log());
}

#[test]
fn a_second_dispatcher_on_the_same_data_is_refused_and_harms_nothing() {
    let house = House::start();
    let id = house.submit(&[], "true");
    for listen in [house.address(), "127.0.0.1:0"] {
        let ran = Client::start(house.shuntd_command(listen), b"").end();
        ran.expect(1, &["another shuntd runs on this data directory", "lock", "choose another [data] dir"]);
    }
    assert_eq!(house.job(&id)["state"], "queued");
    house.submit(&[], "true");
}
