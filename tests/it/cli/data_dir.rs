//! The daemon's own files: lost, read by others, deleted on purpose.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use super::house::{House, command, host};
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
    let output = house.shuntd_command("127.0.0.1:0").output().expect("shuntd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("master.key is missing") && said.contains("put it back"), "{said}");
    assert!(!key.exists(), "a new master key was made");
    fs::rename(&kept, &key).expect("the key");
    house.start_again();
    house.await_contact(&host, "connected");
}

#[test]
fn other_users_can_read_no_file_of_the_database_not_even_one_of_an_earlier_version() {
    let mut house = House::start();
    let files = ["shuntyard.db", "shuntyard.db-wal", "shuntyard.db-shm"].map(|name| data(&house, name));
    let modes = || files.each_ref().map(|file| fs::metadata(file).map_or(0, |data| data.permissions().mode() & 0o777));
    assert_eq!(modes(), [0o600; 3]);
    house.kill();
    for file in &files {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("chmod");
    }
    house.start_again();
    assert_eq!(modes(), [0o600; 3]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure_of_check() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut check = command("shuntd", home.path());
    check.arg("check").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = check.spawn().expect("shuntd");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_deleted_admin_token_is_replaced_and_revoked_at_the_next_start() {
    let mut house = House::start();
    let (file, old) = (data(&house, "admin.token"), house.home().join("old.token"));
    fs::copy(&file, &old).expect("a copy");
    let old = old.to_str().expect("a path");
    house.shunt(&["--token-file", old, "api", "get", "runners"]).expect(0, &[]);
    house.terminate();
    house.start_again();
    house.shunt(&["--token-file", old, "api", "get", "runners"]).expect(0, &[]);
    fs::remove_file(&file).expect("the token");
    house.terminate();
    house.start_again();
    house.shunt(&["api", "get", "runners"]).expect(0, &[]);
    house.shunt(&["--token-file", old, "api", "get", "runners"]).expect(1, &["token"]);
}
