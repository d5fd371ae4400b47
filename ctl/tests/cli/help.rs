//! What each command says of itself, and completions.

use std::path::Path;

use super::output;

#[test]
fn the_help_of_every_command_is_as_recorded() {
    let commands = [
        "",
        "run",
        "jobs",
        "logs",
        "cancel",
        "explain",
        "fan-out",
        "fan-out list",
        "fan-out show",
        "fan-out follow",
        "fan-out cancel",
        "fan-out rerun",
        "plan",
        "change",
        "change submit",
        "change list",
        "change show",
        "change follow",
        "change approve",
        "change deliver",
        "change retrigger",
        "change cancel",
        "change close",
        "artifacts",
        "artifacts list",
        "artifacts get",
        "org",
        "org list",
        "org create",
        "project",
        "project list",
        "project create",
        "project show",
        "project limit",
        "pipeline",
        "pipeline list",
        "pipeline create",
        "config",
        "config check",
        "ctl",
        "ctl install-runner",
        "ctl delete-runner",
        "ctl list-runners",
        "ctl show-runner",
        "ctl test-runner",
        "ctl doctor",
        "ctl accept-host-key",
        "ctl rotate-key",
        "ctl approve",
        "ctl dial-out",
        "ctl create-token",
        "ctl list-tokens",
        "ctl revoke-token",
        "ctl pool",
        "ctl pool create",
        "ctl pool list",
        "ctl pool show",
        "ctl pool update",
        "ctl pool delete",
        "ctl label",
        "ctl scope",
        "ctl via",
        "ctl jump-host",
        "ctl jump-host install",
        "ctl jump-host list",
        "ctl jump-host show",
        "ctl jump-host test",
        "ctl jump-host change",
        "ctl jump-host accept-host-key",
        "ctl jump-host delete",
        "ctl drain",
        "ctl disable",
        "ctl enable",
        "ctl apply",
        "ctl export",
        "ctl webhook",
        "ctl webhook create",
        "ctl webhook list",
        "ctl webhook show",
        "ctl webhook test",
        "ctl webhook deliveries",
        "ctl webhook redeliver",
        "ctl webhook rotate",
        "ctl webhook delete",
        "secret",
        "secret set",
        "secret list",
        "secret delete",
        "login",
        "logout",
        "whoami",
        "audit",
        "audit check",
        "queue",
        "queue show",
        "queue pause",
        "queue resume",
        "retention",
        "retention plan",
        "retention apply",
        "user",
        "user create",
        "user list",
        "user show",
        "user grant",
        "user revoke-grant",
        "user disable",
        "user enable",
        "user delete",
        "user password",
        "token",
        "token create",
        "token list",
        "token revoke",
        "api",
        "completions",
    ];
    let mut differing = Vec::new();
    for command in commands {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let (code, help, _) = output(&args);
        assert_eq!(code, 0, "{command}");
        let name = if command.is_empty() { "shunt".to_owned() } else { command.replace(' ', "-") };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if std::env::var_os("UPDATE_HELP").is_some() {
            std::fs::write(&path, &help).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != help {
            differing.push(name);
        }
    }
    assert!(differing.is_empty(), "{differing:?} differ: look at them, then record them with UPDATE_HELP=1");
}

#[test]
fn without_a_command_the_help_is_shown() {
    let (code, _, stderr) = output(&[]);
    assert_eq!((code, stderr.contains("Usage: shunt"), stderr.contains("Exit codes:")), (2, true, true), "{stderr}");
    for group in ["ctl", "ctl pool", "ctl webhook", "ctl jump-host", "fan-out", "change", "secret", "user", "token"] {
        let (code, _, stderr) = output(&group.split(' ').collect::<Vec<_>>());
        assert_eq!((code, stderr.contains(&format!("Usage: shunt {group} "))), (2, true), "{stderr}");
    }
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = output(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains("install-runner") && script.contains("retrigger"), "{shell}");
    }
}

/// The web page says what to type next: that has to be a command, with those flags.
#[test]
fn the_commands_that_pages_name_exist() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/http/ui");
    let (mut seen, mut folders) = (0, vec![pages]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for quoted in text.split('"').filter(|quoted| quoted.starts_with("shunt ")) {
                seen += 1;
                check_named(quoted, &path);
            }
        }
    }
    assert!(seen >= 8, "{seen} commands");
}

fn check_named(line: &str, page: &Path) {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let is_command = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with("--");
    // `shunt run -- …` and placeholders are no commands of ours.
    let mut command: Vec<&str> = words.iter().take_while(is_command).copied().collect();
    loop {
        let (code, help, error) = output(&[&command[..], &["--help"]].concat());
        if code == 0 && help.contains(&format!("Usage: shunt {}", command.join(" "))) {
            let ours = words.iter().take_while(|word| **word != "--");
            for flag in ours.filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "{}: `{line}`: there is no {flag}", page.display());
            }
            return;
        }
        // A name may look like a command.
        command.pop();
        assert!(command.len() > 1 || words.len() < 3, "{}: `{line}`: {error}", page.display());
        assert!(!command.is_empty(), "{}: `{line}`: {error}", page.display());
    }
}
