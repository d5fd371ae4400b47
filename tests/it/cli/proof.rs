//! What a host's answer proves about a job, and what it does not: no job runs twice, and none stays for ever.

use std::fs;

use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

fn base_dir(house: &House) -> String {
    house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned()
}

/// Makes the wrapper's function wait at its beginning until the file `go` is in the home directory of `deploy`.
fn hold(host: &TestHost, base: &str, function: &str) {
    let wait = "echo held >>/home/deploy/held; until [ -e /home/deploy/go ]; do sleep 0.05; done";
    host.run_inside(&format!(
        "sed -i 's|^{function}() {{$|&\\n  {wait}|' {base}/wrapper-*; grep -q /home/deploy/held {base}/wrapper-*"
    ));
}

fn go(host: &TestHost) {
    host.run_inside("touch /home/deploy/go");
}

/// Copies the daemon's database, which must not run: `from` and `to` are directories below the house.
fn copy_database(house: &House, from: &str, to: &str) {
    let (from, to) = (house.home().join(from), house.home().join(to));
    fs::create_dir_all(&to).expect("a directory");
    for name in ["shuntyard.db", "shuntyard.db-wal", "shuntyard.db-shm"] {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).expect("a copy");
        }
    }
}

#[test]
fn a_launcher_that_is_slow_to_start_does_not_make_its_job_run_twice() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    // The claim and the spool are made, and nothing runs yet.
    hold(&host, &base_dir(&house), "follow");
    let id = house.submit(&[], "echo x >>~/starts");
    await_truth(&host, "held", "held");
    host.restart();
    let refused = || house.log().contains("does not come to a start");
    await_that("the host says that the launcher is slow", refused, || house.log());
    go(&host);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{job}\n{}", house.log());
    assert_eq!(truth(&host, "starts"), "x\n");
}

#[test]
fn a_launcher_that_hangs_before_its_claim_is_fenced_and_the_job_runs_once() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    hold(&host, &base_dir(&house), "prepare");
    let id = house.submit(&[], "echo x >>~/starts");
    await_truth(&host, "held", "held");
    host.restart();
    // The second attempt hangs as the first one does, until both go on.
    await_truth(&host, "held", "held\nheld\n");
    go(&host);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &2.into()), "{job}");
    await_that(
        "the launchers end",
        || !host.exec_inside("pgrep -f 'wrapper-[0-9a-f]* run'").status.success(),
        String::new,
    );
    assert_eq!(truth(&host, "starts"), "x\n");
}

#[test]
fn a_job_that_ended_after_the_backup_is_not_run_again_after_the_restore() {
    const DATA: &str = "share/shuntyard";
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    hold(&host, &base_dir(&house), "follow");
    let id = house.submit(&[], "echo x >>~/starts");
    await_truth(&host, "held", "held");
    house.kill();
    copy_database(&house, DATA, "backup");
    go(&host);
    await_truth(&host, "starts", "x");
    house.start_again();
    assert_eq!(house.await_end(&id)["state"], "succeeded");
    house.await_empty_spool(&host);
    house.terminate();
    copy_database(&house, "backup", DATA);
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"spool_gone".into()), "{job}");
    assert_eq!(job["truncated"], true, "{job}");
    assert_eq!(truth(&host, "starts"), "x\n");
}

#[test]
fn a_running_job_whose_spool_was_removed_is_lost_although_its_claim_stays() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    let id = house.submit(&[], "echo up; echo up >~/up; sleep 7232");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    house.terminate();
    // Its waiting side writes into the spool once more.
    let ended = "while pgrep -f 'wrapper-[0-9a-f]* run' >/dev/null; do sleep 0.05; done";
    let removed = format!("rm -rf {base}/j/* {base}/w/*; ls {base}/c | grep -q .");
    host.run_inside(&format!("pkill -KILL -f 'sleep 723[2]'; {ended}; {removed}"));
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"spool_gone".into()), "{job}");
    assert_eq!(job["truncated"], true, "{job}");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_launcher_that_died_before_the_start_leaves_a_lost_job_that_says_so() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    hold(&host, &base_dir(&house), "become_job");
    let id = house.submit(&[], "echo x >>~/starts");
    await_truth(&host, "held", "held");
    host.run_inside("pkill -KILL -f 'wrapper-[0-9a-f]* run'");
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"launcher_died".into()), "{job}");
    assert_eq!((truth(&host, "starts").as_str(), &job["exit_code"]), ("", &serde_json::Value::Null), "{job}");
}

#[test]
fn a_killed_wrapper_whose_follower_holds_the_channel_does_not_leave_its_job_running() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up; echo up >~/up; sleep 7234");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    // On a channel that had a job before, it begins a moment after the job.
    let followed = || host.exec_inside("pgrep -f '^tail -c'").status.success();
    await_that("the output is followed", followed, || house.log());
    // The follower holds the channel for as long as its pipe has a reader, which is up to sshd and to us.
    host.run_inside("pkill -KILL -f 'wrapper-[0-9a-f]* run'");
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"wrapper_killed".into()), "{job}");
    assert_eq!(house.shunt(&["logs", &id]).text(), "up\n");
    host.run_inside("! pgrep -f 'sleep 723[4]'");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    assert!(!house.log().contains("connection removed"), "{}", house.log());
}

#[test]
fn a_launcher_that_died_alone_hides_no_result() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up; echo up >~/up; until [ -e ~/go ]; do sleep 0.05; done; echo done; exit 3");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    // The oldest is sshd's child; the waiting side and the reader of words live on.
    host.run_inside("kill -KILL $(pgrep -o -f 'wrapper-[0-9a-f]* run')");
    go(&host);
    let job = house.await_end(&id);
    assert_eq!((&job["exit_code"], &job["truncated"], &job["attempt"]), (&3.into(), &false.into(), &1.into()), "{job}");
    assert_eq!(house.shunt(&["logs", &id]).text(), "up\ndone\n");
}

#[test]
fn jobs_of_a_runner_that_was_deleted_by_force_are_let_go() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up >~/up; sleep 7233");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]).expect(0, &[]);
    assert_eq!(house.job(&id)["state"], "abandoned");
    let let_go = || house.log().contains("the job was ended by somebody else");
    await_that("the job's task ends", let_go, || house.log());
}

#[test]
fn a_runner_that_refuses_its_key_is_asked_once_until_a_test() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up >~/up; until [ -e ~/go ]; do sleep 0.05; done");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    host.run_inside("mv /home/deploy/.ssh/authorized_keys /home/deploy/.ssh/off");
    host.restart();
    let reason = || house.api("runners/u1")["contact"]["reason"].to_string();
    await_that("the refusal is shown", || reason().contains("refused the key"), reason);
    // The job's own tries: the delays between them are at their longest after the sixth.
    let tries = || house.log().matches("attaching again").count();
    await_that("eight tries", || tries() >= 8, || house.log());
    let logins = || host.log().rsplit("Server listening").next().unwrap_or_default().matches("Connection from").count();
    assert!(logins() <= 2, "asked {} times:\n{}", logins(), host.log());
    assert!(reason().contains("a Test"), "{}", reason());
    host.run_inside("mv /home/deploy/.ssh/off /home/deploy/.ssh/authorized_keys");
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    house.await_contact(&host, "connected");
    go(&host);
    assert_eq!(house.await_end(&id)["state"], "succeeded");
}
