//! The systemd unit and the programs' own papers.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::house::{command, program};

fn ran(mut command: Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().expect("a program runs");
    (status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_finds_safe() {
    let dir = tempfile::tempdir().expect("a directory");
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/shuntd.service")).expect("the unit");
    for line in ["Type=notify", "KillMode=process", "LoadCredential=shuntd-master-key", "LimitCORE=0"] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
    }
    let unit = dir.path().join("shuntd.service");
    let here = program("shuntd");
    fs::write(&unit, text.replace("/usr/bin/shuntd", here.to_str().expect("a path"))).expect("the unit");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&unit);
    let (good, told) = ran(verify);
    assert!(good && told.trim().is_empty(), "{told}");
    let mut security = Command::new("systemd-analyze");
    // Of 100: ten would be a service that may do nothing at all.
    security.args(["security", "--offline=true", "--threshold=25"]).arg(&unit);
    let (good, told) = ran(security);
    assert!(good, "{told}");
}

#[test]
fn both_programs_write_completions_and_a_page_for_each_command() {
    let home = tempfile::tempdir().expect("a home");
    for (name, pages) in [("shuntd", ["shuntd.1", "shuntd-backup.1"]), ("shunt", ["shunt.1", "shunt-queue-pause.1"])] {
        let mut man = command(name, home.path());
        man.arg("man").arg(home.path());
        let (good, told) = ran(man);
        assert!(good, "{told}");
        for page in pages {
            let text = fs::read_to_string(home.path().join(page)).expect(page);
            assert!(text.contains(".SH SYNOPSIS"), "{page}:\n{text}");
        }
        for shell in ["bash", "zsh", "fish"] {
            let mut completions = command(name, home.path());
            completions.args(["completions", shell]);
            let (good, told) = ran(completions);
            assert!(good && told.contains(name), "{shell}: {told}");
        }
    }
}
