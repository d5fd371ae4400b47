//! `shunt artifacts`: what a job has kept, listed, and fetched below the directory that was named.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn what_a_job_has_kept_is_listed_and_fetched_by_pattern_and_never_lies_elsewhere() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = "mkdir -p out/deep; echo one >out/a.log; echo two >out/deep/b.txt; chmod 755 out/a.log; exit 3";
    house.shunt(&["run", "--artifacts", "out", "--", "sh", "-c", script]).expect(3, &[]);
    let id = house.api("jobs?state=all")[0]["id"].as_str().expect("an id").to_owned();
    house.shunt(&["artifacts", "list", &id]).expect(0, &["out/a.log", "4", "out/deep/b.txt", "SHA256"]);

    let to = house.home().join("to");
    let get = |flags: &[&str], to: &str| house.shunt(&[&["artifacts", "get", &id], flags, &["--to", to]].concat());
    get(&[], "to").expect(0, &["to/out/a.log\n", "to/out/deep/b.txt\n"]);
    assert_eq!(fs::read_to_string(to.join("out/a.log")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(to.join("out/deep/b.txt")).unwrap(), "two\n");
    assert_ne!(fs::metadata(to.join("out/a.log")).unwrap().permissions().mode() & 0o100, 0);
    assert_eq!(fs::metadata(to.join("out/deep/b.txt")).unwrap().permissions().mode() & 0o100, 0);
    // What is there stays, and nothing beside it is fetched, unless the user says otherwise.
    fs::write(to.join("out/a.log"), "otherwise").unwrap();
    fs::remove_file(to.join("out/deep/b.txt")).unwrap();
    get(&[], "to").expect(1, &["to/out/a.log is there already", "--force"]);
    assert_eq!(fs::read_to_string(to.join("out/a.log")).unwrap(), "otherwise");
    assert!(!to.join("out/deep/b.txt").exists());
    get(&["out/*.log", "--force"], "to").expect(0, &["to/out/a.log\n"]);
    assert_eq!(fs::read_to_string(to.join("out/a.log")).unwrap(), "one\n");
    assert_eq!(fs::read_dir(to.join("out")).unwrap().count(), 2);
    get(&["*.log"], "to").expect(1, &["nothing like `*.log`", "shunt artifacts list"]);

    // A link in the way is not followed.
    let (other, elsewhere) = (house.home().join("other"), house.home().join("elsewhere"));
    fs::create_dir_all(&other).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    symlink(&elsewhere, other.join("out")).unwrap();
    get(&[], "other").expect(1, &["is a symbolic link"]);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    house.shunt(&["artifacts", "list", "01890000-0000-7000-8000-000000000001"]).expect(1, &["there is no job"]);
}
