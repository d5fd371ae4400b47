//! `shuntd demo` as a process: what it shows, and that nothing is left behind.

use std::fs;
use std::path::Path;

use super::client::{Client, Ran};
use super::house::{await_that, command};

const HOSTS: [&str; 3] = ["ubuntu-demo", "centos-demo", "alpine-demo"];

fn begin(home: &Path, words: &[&str]) -> Client {
    let mut command = command("shuntd", home);
    command.arg("demo").args(words);
    Client::start(command, b"")
}

/// Processes that name `home` in their words, environment or directory, and files under it.
fn left_behind(home: &Path) -> Vec<String> {
    let text = home.to_str().expect("a path");
    let names_it = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(text);
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let process = entry.path();
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        let here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(home));
        if here || names_it(words.clone()) || names_it(fs::read(process.join("environ")).unwrap_or_default()) {
            left.push(format!("{}: {}", process.display(), String::from_utf8_lossy(&words).replace('\0', " ")));
        }
    }
    left.extend(fs::read_dir(home).expect("the home").flatten().map(|entry| entry.path().display().to_string()));
    left
}

fn assert_nothing_left(home: &Path) {
    assert_eq!(left_behind(home), Vec::<String>::new());
}

#[test]
fn the_demo_shows_matrix_rows_on_three_hosts_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let ran: Ran = begin(home.path(), &[]).end();
    assert_eq!(ran.code, 0, "{}\n{}", ran.text(), ran.stderr);
    let text = ran.text();
    for host in HOSTS {
        assert!(text.contains(&format!("install-runner {host}")), "{host}:\n{text}");
        let row = text.lines().find(|line| line.starts_with("│ unit") && line.contains(host));
        assert!(row.is_some_and(|row| row.contains("succeeded")), "no row of unit on {host}:\n{text}");
    }
    for prefix in ["unit {\"platform\":[\"alpine\",\"arch\"]} │ ok   greets 'two words'", "lint ", "syntax ", "smoke "]
    {
        assert!(text.lines().any(|line| line.starts_with(prefix)), "no line begins with {prefix:?}:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colour without a terminal");
    assert_nothing_left(home.path());
}

#[test]
fn ctrl_c_during_the_demo_leaves_no_process_and_no_directory() {
    let home = tempfile::tempdir().unwrap();
    let demo = begin(home.path(), &[]);
    demo.await_output("greets 'world'");
    demo.interrupt();
    let ran = demo.end();
    assert_ne!(ran.code, 0, "{}", ran.text());
    assert!(ran.stderr.contains("stopped by a signal"), "{}", ran.stderr);
    assert_nothing_left(home.path());
}

#[test]
fn a_demo_that_stays_answers_the_api_and_runs_jobs_until_ctrl_c() {
    let home = tempfile::tempdir().unwrap();
    let demo = begin(home.path(), &["--stay"]);
    demo.await_output("run --filter platform=ubuntu -- uname -a\n");
    let text = String::from_utf8(demo.stdout()).unwrap();
    let line = text.lines().find(|line| line.contains("ctl list-runners")).expect("what to try");
    let flags: Vec<&str> = line.trim().split(' ').skip(1).take(4).collect();
    let shunt = |words: &[&str]| {
        let mut command = command("shunt", home.path());
        command.args(&flags).args(words);
        Client::start(command, b"").end()
    };
    shunt(&["ctl", "list-runners"]).expect(0, &HOSTS);
    shunt(&["ctl", "doctor", "--all"]).expect(0, &["alpine 3.20.3", "centos 7.9", "ubuntu 22.04", "3 runners: "]);
    let ran = shunt(&["run", "--quiet", "--filter", "platform=ubuntu", "--", "uname", "-n"]);
    assert_eq!((ran.code, ran.text().as_str()), (0, "ubuntu-demo\n"), "{}", ran.stderr);
    let pid = demo.id();
    demo.interrupt();
    let ran = demo.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    await_that("it is gone", || !Path::new(&format!("/proc/{pid}")).exists(), String::new);
    assert_nothing_left(home.path());
}
