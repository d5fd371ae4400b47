//! Crashes: of the dispatcher at any moment, of sshd under a running job. Jobs start once, logs lose nothing.

use std::time::Duration;

use super::client::Client;
use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// Small numbers that differ from run to run; printed, so that a failure can be told again.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = uuid::Uuid::now_v7().as_u64_pair().1;
        eprintln!("seed {seed}");
        Self(seed)
    }

    /// From 0 to `limit` - 1, by xorshift.
    fn roll(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A job that counts its starts and keeps a copy of its output, under a name of its own; about a second long.
fn job(name: &str) -> String {
    format!(
        "echo x >>~/{name}.starts; n=0; while [ $n -lt 60 ]; do n=$((n+1)); echo {name} line $n | tee -a ~/{name}.truth; \
         head -c 2000 /dev/urandom | tee -a ~/{name}.truth; sleep 0.01; done"
    )
}

fn check_once_and_complete(house: &House, host: &TestHost, id: &str, name: &str) {
    let job = house.await_end(id);
    assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{name}: {job}");
    assert_eq!(truth(host, &format!("{name}.starts")), "x\n", "{name} started more than once");
    let written = std::fs::read(host.path(&format!("home/deploy/{name}.truth"))).expect("the job's own copy");
    let logged = house.shunt(&["logs", id]).stdout;
    assert!(logged == written, "{name}: {} bytes logged, {} written", logged.len(), written.len());
}

#[test]
fn a_dispatcher_killed_at_random_moments_starts_each_job_once_and_loses_no_byte() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 3)]);
    let mut dice = Dice::new();
    let names: Vec<String> = (0..8).map(|n| format!("job{n}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        ids.push(house.submit(&["--title", name], &job(name)));
        // Between two submissions, at a start, under running jobs: wherever it hits.
        if dice.roll(2) == 0 {
            std::thread::sleep(Duration::from_millis(dice.roll(120)));
            house.kill();
            house.start_again();
        }
    }
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(dice.roll(400)));
        house.kill();
        house.start_again();
    }
    for (id, name) in ids.iter().zip(&names) {
        check_once_and_complete(&house, &host, id, name);
    }
    // What a crash left on the host, an acknowledgement that was not sent or a fence, goes at the next connect.
    house.kill();
    house.start_again();
    house.await_empty_spool(&host);
}

#[test]
fn a_job_right_after_one_that_was_followed_anew_starts_at_its_first_placement() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let first = house.submit(&[], "echo up >~/up; until [ -e ~/go ]; do sleep 0.02; done");
    await_truth(&host, "up", "up");
    let second = house.submit(&[], "true");
    house.kill();
    house.start_again();
    house.await_contact(&host, "connected");
    // Attached, not started: the channel ends with the job.
    await_that("it is followed", || house.job(&first)["state"] == "running", || house.log());
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&first)["state"], "succeeded");
    let job = house.await_end(&second);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{job}");
}

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
