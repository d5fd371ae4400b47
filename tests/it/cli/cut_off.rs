//! A bootstrap whose connection is lost while the install runs on the host.

use super::house::{House, await_that, await_truth, host};
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost, UBUNTU_2204};

/// Makes an install wait between its wrapper and its key until `/home/deploy/go` is there; `held` says that it waits.
pub fn hold_install(host: &TestHost) {
    // It counts the wrapper's bytes with `wc`.
    let slow = "echo held >>/home/deploy/held; until [ -e /home/deploy/go ]; do sleep 0.05; done; exec busybox wc";
    host.run_inside(&format!(
        "printf '%s\\n' '#!/bin/sh' '{slow} \"$@\"' >/home/deploy/wc; chmod 755 /home/deploy/wc; \
         mount --bind /home/deploy/wc /usr/bin/wc"
    ));
}

#[test]
fn an_install_that_is_cut_off_says_what_may_be_left_and_leaves_no_key() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    hold_install(&host);
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", "u1", "deploy", "--address", &host.address, "-p", &port];
    let flags = ["-y", "--no-sudo", "--password-stdin"];
    let client = house.begin_with_input(&[&words[..], &flags[..]].concat(), format!("{DEPLOY_PASSWORD}\n").as_bytes());
    await_truth(&host, "held", "held");
    host.run_inside("pkill -KILL -f '^sshd[^ ]*: deploy'");
    let ran = client.end();
    host.run_inside("touch /home/deploy/go");
    await_that("the script ends", || !host.exec_inside("pgrep -u deploy -f 'sh -s'").status.success(), String::new);
    ran.expect(1, &["failed: step install", "left behind: perhaps a private directory with the wrapper"]);
    assert!(!host.run_inside("cat /home/deploy/.ssh/authorized_keys").contains("job_runner@u1"), "{ran:?}");
    host.run_inside("umount /usr/bin/wc");
    // Running the same command again is what the advice says.
    house.enrol(&host, 1);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
}

#[test]
fn an_install_that_is_refused_in_the_middle_says_what_went_and_what_is_left() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    host.run_inside("chown root: /home/deploy/.ssh; chmod 755 /home/deploy/.ssh");
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", "u1", "deploy", "--address", &host.address, "-p", &port];
    let flags = ["-y", "--no-sudo", "--password-stdin"];
    let ran =
        house.begin_with_input(&[&words[..], &flags[..]].concat(), format!("{DEPLOY_PASSWORD}\n").as_bytes()).end();
    ran.expect(1, &["failed: step install: cannot write"]);
    assert!(ran.stderr.contains("left behind: wrapper") || ran.stderr.contains("rolled back: wrapper"), "{ran:?}");
}
