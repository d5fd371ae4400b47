//! Bootstraps that fail in the middle: step, reason, advice, and both sides as they were.

use super::client::Ran;
use super::enrolment::*;
use super::house::{House, host};
use crate::support::sshd::{DEBIAN_12, DEPLOY_PASSWORD, HostSpec, TestHost};

/// Prepares a host, lets the bootstrap fail there, and holds both sides to what they were.
fn fails(host: &TestHost, prepare: &str, flags: &[&str], said: &[&str]) -> Ran {
    let house = House::start();
    settle_in(host, "deploy");
    host.run_inside(prepare);
    let before = traces(host);
    let ran = install_by_password(&house, host, "deploy", DEPLOY_PASSWORD, flags);
    ran.expect(1, said);
    assert!(ran.stderr.contains("\n  try: "), "no advice: {}", ran.stderr);
    assert!(!ran.stderr.contains("left behind"), "{}", ran.stderr);
    expect_untouched(&house, host, &before);
    ran
}

#[test]
fn a_test_that_fails_takes_everything_back() {
    for (flags, lines) in [
        (&[][..], "DenyUsers job_runner"),
        (&["--no-sudo"], "Match User deploy\n AuthenticationMethods password\nMatch all"),
    ] {
        let sshd_lines = vec![lines.to_owned()];
        let host = TestHost::start(HostSpec { hostname: "d1".into(), sshd_lines, ..HostSpec::default() });
        let said = ["failed: step login", "see that sshd accepts keys", "rolled back: key", "rolled back: wrapper"];
        let ran = fails(&host, "true", flags, &said);
        if flags.is_empty() {
            ran.expect(1, &["rolled back: user", "rolled back: sudoers"]);
        }
    }
}

#[test]
fn a_job_that_does_not_run_takes_everything_back() {
    // The wrapper works, and a job's own shell does not: an interpreter that fails only under a job.
    let host = host("d1", DEBIAN_12);
    let broken = "mount --bind /bin/false /usr/bin/setsid";
    let said = ["failed: step job", "rolled back: key", "rolled back: base"];
    fails(&host, broken, &["--no-sudo"], &said);
}

#[test]
fn a_host_without_a_private_writable_directory_is_refused() {
    let host = host("d1", DEBIAN_12);
    let closed = "chmod 0755 /tmp /var/tmp /dev/shm; chown root /home/deploy /home/deploy/.cache";
    let said = ["failed: step install: no directory is private and writable", "make one of these directories writable"];
    fails(&host, closed, &["--no-sudo"], &said);
}

#[test]
fn keys_that_cannot_be_written_take_the_wrapper_back() {
    let host = host("d1", DEBIAN_12);
    let closed = "chown root: /home/deploy/.ssh; chmod 755 /home/deploy/.ssh";
    let said =
        ["failed: step install: cannot write", "authorized_keys (keys)", "rolled back: wrapper", "rolled back: base"];
    fails(&host, closed, &["--no-sudo"], &said);
}

#[test]
fn a_full_disk_takes_everything_back() {
    let host = host("d1", DEBIAN_12);
    let full = "mount -t tmpfs -o size=64k,mode=755 full /var/lib; head -c 57344 /dev/zero >/var/lib/filler";
    let said = ["failed: step install: cannot write /var/lib/shuntyard/wrapper-", "nospace", "rolled back: user"];
    fails(&host, full, &[], &said);
}

#[test]
fn an_account_of_the_same_name_is_not_touched() {
    let host = host("d1", DEBIAN_12);
    let said =
        ["failed: step install: the user job_runner exists already and is not Shuntyard's", "try: rename or remove"];
    fails(&host, "useradd -m -s /bin/sh job_runner", &[], &said);
}

#[test]
fn a_refresh_that_fails_leaves_the_runner_working_with_its_earlier_key() {
    for flags in [&[][..], &["--no-sudo"]] {
        let (host, house) = (host("d1", DEBIAN_12), House::start());
        settle_in(&host, "deploy");
        install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, flags).expect(0, &[]);
        let (before, runner) = (traces(&host), only_runner(&house));
        // Only the Test of the refresh fails: there is no other way to see a host's jobs fail than to break them.
        host.run_inside("mount --bind /bin/false /usr/bin/setsid");
        let ran = install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, flags);
        host.run_inside("umount /usr/bin/setsid");
        ran.expect(1, &["failed: step job", "rolled back: key"]);
        assert_eq!(traces(&host), before);
        for name in ["id", "openssh_public_key", "state", "health"] {
            assert_eq!(only_runner(&house)[name], runner[name], "{name}");
        }
        house.shunt(&["ctl", "test-runner", "d1"]).expect(0, &["runner d1 is ok"]);
    }
}
