//! Deleting runners that are busy, unreachable or not asked for, with and without force.

use super::enrolment::*;
use super::house::{House, await_truth, host};
use super::terminal::Terminal;
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

const JOB: &str = "trap '' TERM; sleep 8243 & echo up >/tmp/up; wait; sleep 8243";

#[test]
fn a_runner_with_a_running_job_goes_only_by_force_and_takes_the_job_with_it() {
    for (flags, account) in [(&["--no-sudo"][..], "deploy"), (&[], "job_runner")] {
        let (host, house) = (host("u1", UBUNTU_2204), House::start());
        settle_in(&host, "deploy");
        let before = traces(&host);
        install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, flags).expect(0, &[]);
        let job = house.submit(&[], JOB);
        let started = || host.exec_inside("test -e /tmp/up").status.success();
        super::house::await_that("the job runs", started, || house.job(&job).to_string());
        house.await_state(&job, &["running"]);
        house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(1, &["1 running job", "use force"]);
        let running = || house.job(&job)["state"] == "running";
        super::house::await_that("the start is stored", running, || house.job(&job).to_string());
        host.run_inside("pgrep -f 'sleep 824[3]'");
        let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]);
        ran.expect(0, &["removed", "runner u1 is removed"]);
        assert!(!ran.stderr.contains("left on the host"), "{account}: {}", ran.stderr);
        host.run_inside("! pgrep -f 'sleep 824[3]'; rm /tmp/up");
        expect_untouched(&house, &host, &before);
        let job = house.job(&job);
        // Killed by the removal; whether its end is heard before nobody listens any more is a matter of moments.
        assert!(job["state"] == "cancelled" || job["state"] == "abandoned", "{job}");
        assert_eq!(job["runner"], "u1", "{job}");
    }
}

#[test]
fn an_unreachable_runner_stays_unless_forced_and_then_says_what_is_left_there() {
    for (flags, left) in [
        (&["--no-sudo"][..], vec!["wrapper /home/deploy/.cache/shuntyard/wrapper-", "authorized_keys of deploy"]),
        (
            &[],
            vec![
                "wrapper /var/lib/shuntyard/wrapper-",
                "the user job_runner and its rule",
                "rm -rf /var/lib/shuntyard",
            ],
        ),
    ] {
        let (mut host, house) = (host("u1", UBUNTU_2204), House::start());
        install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, flags).expect(0, &[]);
        host.stop();
        house.await_contact(&host, "unreachable");
        let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y"]);
        ran.expect(1, &["failed: step clean: cannot reach 127.0.0.1", "make the host reachable", "--force"]);
        assert_eq!(only_runner(&house)["hostname"], "u1");
        let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]);
        ran.expect(0, &["not possible: cannot reach", "job_runner@u1 in authorized_keys", "runner u1 is removed"]);
        for left in left {
            let line = ran.stderr.lines().any(|line| line.starts_with("left on the host: ") && line.contains(left));
            assert!(line, "no {left:?} in {}", ran.stderr);
        }
        assert_eq!(house.api("runners"), serde_json::json!([]));
    }
}

#[test]
fn a_runner_that_is_unreachable_for_a_moment_is_deleted_as_soon_as_it_is_back() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    let before = traces(&host);
    install_system(&house, &host);
    host.kill_sshd();
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(1, &["failed: step clean"]);
    host.restart();
    house.await_contact(&host, "connected");
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &["removed key"]);
    expect_untouched(&house, &host, &before);
}

#[test]
fn a_deletion_is_confirmed_by_hand_and_history_stays() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, &["--no-sudo"]).expect(0, &[]);
    let job = house.submit(&[], "echo hello; echo up >~/up");
    await_truth(&host, "up", "up");
    house.await_end(&job);
    let delete = || {
        let mut command = house.shunt_command();
        Terminal::start(command.args(["ctl", "delete-runner", "u1"]))
    };
    let mut no = delete();
    no.answer("Remove runner u1, its key, wrapper and work directory? [y/N] ", "");
    let (code, screen) = no.end();
    assert!(code == 1 && screen.contains("nothing was changed"), "{code}: {screen}");
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    let mut yes = delete();
    yes.answer("[y/N] ", "yes");
    let (code, screen) = yes.end();
    assert!(code == 0 && screen.contains("runner u1 is removed"), "{code}: {screen}");
    assert_eq!((&house.job(&job)["state"], &house.job(&job)["runner"]), (&"succeeded".into(), &"u1".into()));
    house.shunt(&["logs", &job]).expect(0, &["hello"]);
}
