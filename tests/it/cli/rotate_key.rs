//! `shunt ctl rotate-key`: user and system mode, a job that goes on, a host that refuses, and what a broken rotation left.

use serde_json::Value;

use super::house::{BLOCKER, House, host};
use crate::support::sshd::{TestHost, UBUNTU_2204};

const USERS: &str = "/home/deploy/.ssh/authorized_keys";
const SYSTEMS: &str = "/var/lib/shuntyard/.ssh/authorized_keys";

fn public_key(house: &House) -> String {
    house.api("runners/u1")["openssh_public_key"].as_str().expect("a key").trim().to_owned()
}

fn lines(host: &TestHost, file: &str) -> Vec<String> {
    let text = host.run_inside(&format!("cat {file}"));
    text.lines().filter(|line| line.ends_with("job_runner@u1")).map(ToOwned::to_owned).collect()
}

fn blob(line: &str) -> String {
    line.split(' ').find(|word| word.starts_with("AAAA")).expect("a key").to_owned()
}

fn expect_rotated(house: &House, host: &TestHost, file: &str) {
    let before = public_key(house);
    house.shunt(&["ctl", "rotate-key", "u1"]).expect(0, &["u1 has a new key"]);
    let after = public_key(house);
    assert_ne!(blob(&before), blob(&after));
    let kept = lines(host, file);
    assert_eq!(kept.iter().map(|line| blob(line)).collect::<Vec<_>>(), [blob(&after)], "{kept:?}");
}

#[test]
fn a_runner_of_a_user_gets_another_key_while_its_job_runs_and_jobs_are_run_with_it() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 2)]);
    let job = house.submit(&[], BLOCKER);
    house.await_state(&job, &["running"]);
    expect_rotated(&house, &host, USERS);
    // What a rotation has left that was broken off, goes with the next.
    let stray = lines(&host, USERS)[0].replace("AAAA", "AAAAC3");
    host.run_inside(&format!("echo '{stray}' >>{USERS}; echo 'ssh-ed25519 AAAAforeign somebody@else' >>{USERS}"));
    house.shunt(&["ctl", "rotate-key", "--all", "--json"]).expect(0, &[]);
    assert_eq!(lines(&host, USERS).len(), 1);
    assert!(host.run_inside(&format!("cat {USERS}")).contains("AAAAforeign"), "other keys stay");
    host.run_inside("touch /home/deploy/go");
    let ended = house.await_end(&job);
    assert_eq!((ended["state"].as_str(), ended["truncated"].as_bool()), (Some("succeeded"), Some(false)));
    house.terminate();
    house.start_again();
    house.await_contact(&host, "connected");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_runner_of_the_system_mode_gets_another_key_and_can_still_be_removed() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    house.enrol_with_root(&host, 1);
    expect_rotated(&house, &host, SYSTEMS);
    expect_rotated(&house, &host, SYSTEMS);
    assert!(lines(&host, SYSTEMS)[0].contains("restrict,command="));
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    house.shunt(&["ctl", "delete-runner", "u1", "--yes"]).expect(0, &[]);
    assert!(!host.run_inside("ls /var/lib").contains("shuntyard"));
}

#[test]
fn a_host_that_does_not_take_the_key_leaves_the_runner_as_it_was() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let before = public_key(&house);
    // A file system that takes nothing: the directory is there twice, and cannot be written.
    host.run_inside("mount --bind /home/deploy/.ssh /home/deploy/.ssh && mount -o remount,bind,ro /home/deploy/.ssh");
    let ran = house.shunt(&["ctl", "rotate-key", "u1", "--json"]);
    ran.expect(1, &[]);
    let said: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&said["runners"][0]["rotated"], &said["runners"][0]["hostname"]), (&false.into(), &"u1".into()));
    assert!(said["runners"][0]["why"].as_str().expect("why").contains("install: "), "{said}");
    assert_eq!(public_key(&house), before);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    host.run_inside("umount /home/deploy/.ssh");
    expect_rotated(&house, &host, USERS);
    house.shunt(&["ctl", "rotate-key", "nobody"]).expect(1, &["nobody"]);
}
