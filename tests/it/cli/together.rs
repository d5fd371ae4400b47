//! Two bootstraps of one host: at once, and one after the other under another name.

use super::client::Client;
use super::cut_off::hold_install;
use super::house::{House, await_truth, host};
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost, UBUNTU_2204};

/// Begins a bootstrap as the login user.
fn begin(house: &House, host: &TestHost, name: &str) -> Client {
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", name, "deploy", "--address", &host.address, "-p", &port];
    let flags = ["-y", "--no-sudo", "--password-stdin"];
    house.begin_with_input(&[&words[..], &flags[..]].concat(), format!("{DEPLOY_PASSWORD}\n").as_bytes())
}

#[test]
fn of_two_bootstraps_at_once_the_second_is_refused_and_the_first_works() {
    for second in ["u1", "u2"] {
        let host = host("u1", UBUNTU_2204);
        let house = House::start();
        hold_install(&host);
        let first = begin(&house, &host, "u1");
        await_truth(&host, "held", "held");
        begin(&house, &host, second).end().expect(1, &["is under way"]);
        host.run_inside("touch /home/deploy/go");
        first.end().expect(0, &["runner u1 is enrolled"]);
        house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
        // Nothing holds the claims any more, and the refused one has left no key.
        begin(&house, &host, "u1").end().expect(0, &[]);
        assert_eq!(host.run_inside("grep -c job_runner@u /home/deploy/.ssh/authorized_keys"), "1");
    }
}

#[test]
fn a_bootstrap_that_fails_leaves_an_enrolled_runner_of_the_same_host_as_it_was() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned();
    let files = || host.run_inside(&format!("ls {base} | grep -v '^j$'; cat /home/deploy/.ssh/authorized_keys"));
    let before = files();
    // A host whose jobs do not start fails its Test.
    host.run_inside("mount --bind /bin/false /usr/bin/setsid");
    let ran = begin(&house, &host, "u2").end();
    host.run_inside("umount /usr/bin/setsid");
    ran.expect(1, &["failed: step job", "rolled back: key"]);
    assert_eq!(files(), before);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
}
