//! Running the bootstrap again: it is safe, refreshes facts and key, and keeps what people set.

use super::enrolment::*;
use super::house::{House, await_truth, host};
use crate::support::sshd::{CAROL_PASSWORD, DEPLOY_PASSWORD, TestHost, UBUNTU_2204};

fn again(house: &House, host: &TestHost, flags: &[&str]) -> super::client::Ran {
    install_by_password(house, host, "deploy", DEPLOY_PASSWORD, flags)
}

#[test]
fn running_it_again_refreshes_facts_and_key_and_keeps_what_people_set() {
    for (flags, keys) in [(&[][..], "/var/lib/shuntyard/.ssh"), (&["--no-sudo"], "/home/deploy/.ssh")] {
        let (host, house) = (host("u1", UBUNTU_2204), House::start());
        again(&house, &host, &[flags, &["--labels", "gpu", "--slots", "2"]].concat()).expect(0, &[]);
        let first = only_runner(&house);
        let release = UBUNTU_2204.replace("22.04", "24.04");
        std::fs::write(host.path("etc/os-release"), release).unwrap();
        again(&house, &host, flags).expect(0, &["runner u1 is enrolled (ubuntu 24.04"]);
        let second = only_runner(&house);
        for name in ["id", "labels", "slots", "created_at", "base_dir", "wrapper_version", "user"] {
            assert_eq!(second[name], first[name], "{name}");
        }
        assert_eq!((&second["platform_version"], &second["labels"]), (&"24.04".into(), &serde_json::json!(["gpu"])));
        let key = |runner: &serde_json::Value| runner["openssh_public_key"].as_str().unwrap().trim().to_owned();
        let authorized = host.run_inside(&format!("cat {keys}/authorized_keys"));
        assert!(authorized.contains(&key(&second)) && !authorized.contains(&key(&first)), "{authorized}");
        let ran = house.shunt(&["run", "--quiet", "--filter", "platform_version=24.04", "--", "true"]);
        ran.expect(0, &[]);
        again(&house, &host, &[flags, &["--labels", "other", "--slots", "5"]].concat()).expect(0, &["5 slots"]);
        assert_eq!(only_runner(&house)["labels"], serde_json::json!(["other"]));
        let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y"]);
        ran.expect(0, &["removed key"]);
        host.run_inside("! grep -rs job_runner@u1 /home/deploy/.ssh /var/lib/shuntyard");
    }
}

#[test]
fn a_runner_with_a_running_job_is_not_changed() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    again(&house, &host, &["--no-sudo"]).expect(0, &[]);
    let before = only_runner(&house)["openssh_public_key"].clone();
    let job = house.submit(&[], "echo up >~/up; until [ -e ~/go ]; do sleep 0.05; done");
    await_truth(&host, "up", "up");
    again(&house, &host, &["--no-sudo"]).expect(1, &["failed: step connect", "1 running job", "shunt cancel"]);
    assert_eq!(only_runner(&house)["openssh_public_key"], before);
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
}

#[test]
fn a_change_of_the_account_takes_the_earlier_one_away_or_says_what_is_left() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    settle_in(&host, "deploy");
    let before = traces(&host);
    again(&house, &host, &["--no-sudo"]).expect(0, &[]);
    let ran = again(&house, &host, &[]);
    ran.expect(0, &["runner u1 is enrolled"]);
    assert!(!ran.stderr.contains("left behind"), "{}", ran.stderr);
    host.run_inside(
        "! grep job_runner@u1 /home/deploy/.ssh/authorized_keys && ! test -e /home/deploy/.cache/shuntyard",
    );
    expect_jobs_run(&house, "job_runner");
    let by_hand = "rm -rf /var/lib/shuntyard /etc/sudoers.d/shuntyard-runner && userdel job_runner";
    let ran = install_by_password(&house, &host, "carol", CAROL_PASSWORD, &["--no-sudo"]);
    ran.expect(0, &["left behind: the wrapper /var/lib/shuntyard/", by_hand]);
    expect_jobs_run(&house, "carol");
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &["removed key"]);
    host.exec_inside("pkill -KILL -U job_runner");
    host.run_inside(by_hand);
    host.run_inside("rm -rf /home/carol/.ssh/authorized_keys /home/carol/.cache");
    assert_eq!(traces(&host), before);
}

#[test]
fn a_bootstrap_whose_dispatcher_died_is_simply_run_again() {
    let spec = crate::support::sshd::HostSpec {
        hostname: "u1".into(),
        shell: crate::support::sshd::LoginShell::NoisyBash,
        ..Default::default()
    };
    let (host, mut house) = (TestHost::start(spec), House::start());
    // Files are there, and the Test hangs: the runner's own connection meets the login file.
    host.run_inside(
        "touch /home/deploy/hold; \
         echo 'while [ -e ~/hold ] && [ -e ~/.cache/shuntyard/instance ]; do sleep 0.02; done' >>/home/deploy/.bashrc",
    );
    let flags = ["-y", "--password-stdin", "--no-sudo"];
    let client = begin_install(&house, &host, "deploy", &flags, &format!("{DEPLOY_PASSWORD}\n"));
    let state = || client.stderr();
    super::house::await_that("its files are there", || state().contains("✔ writing the key and the wrapper"), state);
    house.kill();
    assert_eq!(client.end().code, 1);
    host.run_inside("rm /home/deploy/hold");
    house.start_again();
    assert_eq!(house.api("runners"), serde_json::json!([]));
    again(&house, &host, &["--no-sudo"]).expect(0, &["runner u1 is enrolled"]);
    expect_jobs_run(&house, "deploy");
}

#[test]
fn a_runner_takes_no_jobs_while_it_is_bootstrapped_again_and_stays_disabled_if_it_was() {
    let spec = crate::support::sshd::HostSpec {
        hostname: "u1".into(),
        shell: crate::support::sshd::LoginShell::NoisyBash,
        ..Default::default()
    };
    let (host, house) = (TestHost::start(spec), House::start());
    again(&house, &host, &["--no-sudo"]).expect(0, &["u1 takes jobs"]);
    host.run_inside("touch /home/deploy/hold; echo 'while [ -e ~/hold ]; do sleep 0.02; done' >>/home/deploy/.bashrc");
    let flags = ["-y", "--password-stdin", "--no-sudo"];
    let client = begin_install(&house, &host, "deploy", &flags, &format!("{DEPLOY_PASSWORD}\n"));
    let closed = || only_runner(&house)["state"] == "draining";
    super::house::await_that("it is closed to jobs", closed, || client.stderr());
    let job = house.submit(&[], "echo ran >>~/ran");
    house.shunt(&["explain", &job]).expect(0, &["the only matching runner is draining"]);
    house.shunt(&["api", "patch", "runners/u1", "-d", r#"{"state": "disabled"}"#]).expect(0, &[]);
    host.run_inside("rm /home/deploy/hold");
    client.end().expect(0, &["u1 stays disabled"]);
    assert_eq!((&only_runner(&house)["state"], &house.job(&job)["state"]), (&"disabled".into(), &"queued".into()));
    house.shunt(&["api", "patch", "runners/u1", "-d", r#"{"state": "enrolled"}"#]).expect(0, &[]);
    assert_eq!(house.await_end(&job)["attempt"], 1);
    await_truth(&host, "ran", "ran\n");
}
