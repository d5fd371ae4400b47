//! A daemon that crashes leaves no image of its memory, in which its keys are.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::cli::house::{await_that, program};

#[test]
fn a_crash_of_the_daemon_leaves_no_core_dump() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let log = home.path().join("log");
    let mut shell = Command::new("sh");
    // As if an administrator had allowed dumps of any size.
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" serve --listen 127.0.0.1:0 --data-dir data"]);
    shell.arg(program("shuntd")).current_dir(home.path()).env("HOME", home.path()).env_remove("RUST_LOG");
    let stderr = fs::File::create(&log).expect("a log");
    let mut daemon = shell.stdout(Stdio::null()).stderr(stderr).spawn().expect("shuntd");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    await_that("the dispatcher is ready", || said().contains("ready address="), said);
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.id())).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).expect("a signal");
    let status = daemon.wait().expect("its end");
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let left = fs::read_dir(home.path()).expect("the directory").flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("core")).collect();
    assert!(left.is_empty(), "{left:?}");
}
