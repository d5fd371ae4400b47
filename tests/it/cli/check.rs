//! `shuntd check` and `--version`: what the daemon would do, without doing it.

use std::fs;
use std::process::{Command, Output};

use super::house::command;

fn output(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("shuntd runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn check_prints_the_configuration_as_toml_names_the_file_and_hides_the_password() {
    let home = tempfile::tempdir().expect("a home");
    let check = |config: Option<&str>| {
        let mut command = command("shuntd", home.path());
        command.arg("check").envs(config.map(|file| ("SHUNTD_CONFIG", file)));
        output(command)
    };
    let (code, text) = check(None);
    assert!(code == Some(0) && text.starts_with("# the configuration is good; no file was read\n"), "{text}");
    let file = home.path().join("x.toml");
    fs::write(&file, "[store]\nurl = \"postgres://u:hunter2@h/d\"\n").expect("a file");
    let (code, text) = check(file.to_str());
    let read = format!("# the configuration is good; read {}\n", file.display());
    assert!(code == Some(0) && text.starts_with(&read) && !text.contains("hunter2"), "{text}");
    let shown: toml::Table = text.parse().expect("TOML");
    assert_eq!(shown["store"]["url"].as_str(), Some("postgres://u:***@h/d"));
    // Set to nothing is not set; a file that is named and not there is a fault.
    assert_eq!(check(Some("")).0, Some(0));
    let (code, text) = check(Some("/no/such/file"));
    assert!(code == Some(2) && text.contains("/no/such/file"), "{text}");
}

#[test]
fn programs_tell_their_own_names() {
    let home = tempfile::tempdir().expect("a home");
    for name in ["shuntd", "shunt"] {
        let mut command = command(name, home.path());
        command.arg("--version");
        let (code, text) = output(command);
        assert!(code == Some(0) && text.starts_with(&format!("{name} {}", env!("CARGO_PKG_VERSION"))), "{text}");
    }
}
