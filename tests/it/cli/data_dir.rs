//! The daemon's own files: lost, read by others, deleted on purpose.

use std::fs;
use std::path::PathBuf;

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

fn data(house: &House, name: &str) -> PathBuf {
    house.home().join("share/shuntyard").join(name)
}

#[test]
fn without_its_master_key_a_daemon_with_runners_says_what_to_do_and_makes_no_other() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    house.terminate();
    let (key, kept) = (data(&house, "master.key"), data(&house, "kept"));
    fs::rename(&key, &kept).expect("the key");
    let output = house.shuntd_command().output().expect("shuntd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("master.key is missing") && said.contains("put it back"), "{said}");
    assert!(!key.exists(), "a new master key was made");
    fs::rename(&kept, &key).expect("the key");
    house.start_again();
    house.await_contact(&host, "connected");
}
