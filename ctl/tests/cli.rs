//! The command line without a server: help, bad input, the configuration check, a server that is not there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// tcpmux: nobody has run it for decades, and no free port is taken by somebody else meanwhile.
const NOBODY: &str = "http://127.0.0.1:1";

/// `shunt` with nothing of the user's environment, pointed at a port where nobody listens.
fn shunt(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shunt"));
    command.args(args).env_clear().env("SHUNT_SERVER", NOBODY);
    command.env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> (i32, String, String) {
    parts(&shunt(args).output().unwrap())
}

fn parts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Runs `shunt` and expects exit code, an empty standard output, and a standard error that says each of `said`.
fn refused(args: &[&str], code: i32, said: &[&str]) {
    let (seen, stdout, stderr) = output(args);
    assert_eq!((seen, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    for said in said {
        assert!(stderr.contains(said), "{args:?} does not say {said:?}: {stderr}");
    }
}

fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/projects/hello")
}

fn write_config(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), text).unwrap();
    dir
}

/// Three faults in three places.
const FAULTY: &str =
    r#"{"job_dispatch": {"version": "v2", "filters": {"unti": {}, "lint": {"os": []}}}, "skip_phases": ["x"]}"#;

#[test]
fn the_help_of_every_command_is_as_recorded() {
    let commands = [
        "",
        "run",
        "jobs",
        "logs",
        "cancel",
        "explain",
        "config",
        "config check",
        "ctl",
        "ctl install-runner",
        "ctl delete-runner",
        "ctl list-runners",
        "ctl test-runner",
        "ctl accept-host-key",
        "ctl label",
        "ctl scope",
        "ctl drain",
        "ctl disable",
        "ctl enable",
        "ctl apply",
        "ctl export",
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
fn a_server_that_is_not_running_is_named_with_what_to_do() {
    let id = "01890000-0000-7000-8000-000000000001";
    for args in
        [&["jobs"][..], &["ctl", "list-runners"], &["run", "--", "true"], &["api", "get", "jobs"], &["logs", id]]
    {
        refused(args, 1, &["cannot reach http://127.0.0.1:", "connection refused", "`shuntd serve`", "--server"]);
    }
    refused(&["logs", "-f", id], 1, &["connection refused"]);
}

#[test]
fn a_server_that_is_set_to_nothing_is_the_usual_one() {
    let output = shunt(&["jobs", "--help"]).env("SHUNT_SERVER", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    // Another address with a token of its own would be in the way: only what is said counts.
    let output = shunt(&["jobs"]).env("SHUNT_SERVER", "").output().unwrap();
    assert!(!parts(&output).2.contains("is not a server address"), "{output:?}");
}

#[test]
fn names_with_shell_characters_never_leave_this_program() {
    for bad in ["a;b", "$(id)", "a b", "-oProxyCommand=x", "a\nb", "a'b"] {
        for command in ["install-runner", "delete-runner", "test-runner"] {
            let mut args = vec!["ctl", command];
            args.extend(["install-runner"].iter().filter(|c| **c == command).map(|_| "--password=x"));
            args.extend(["delete-runner"].iter().filter(|c| **c == command).map(|_| "--yes"));
            args.extend(["--", bad]);
            args.extend(["install-runner"].iter().filter(|c| **c == command).map(|_| "root"));
            refused(&args, 2, &["host name", "is not allowed"]);
        }
    }
    refused(&["ctl", "install-runner", "h", "root;id", "-P", "x"], 2, &["user name `root;id` is not allowed"]);
    refused(&["ctl", "install-runner", "h", "root", "--labels", "A", "-P", "x"], 2, &["label `A` is not allowed"]);
    refused(&["ctl", "install-runner", "h", "root", "--address", "`id`", "-P", "x"], 2, &["host name"]);
    refused(&["jobs", "--runner", "a|b"], 2, &["host name `a|b` is not allowed"]);
}

#[test]
fn bad_flags_are_exit_code_two_and_say_what_is_allowed() {
    for (args, said) in [
        (&["run"][..], "required"),
        (&["run", "--phase", "unti"], "possible values: unit, lint"),
        (&["run", "--phase", "unit", "--filter", "os=linux"], "cannot be used with"),
        (&["run", "--phase", "unit", "--", "true"], "cannot be used with"),
        (&["run", "--project", ".", "--", "true"], "--phase <PHASE>|--with-tree|--dirty"),
        (&["run", "--config", "config.json", "--", "true"], "cannot be used with"),
        (&["run", "--project", ".", "--script", "x"], "--phase <PHASE>|--with-tree|--dirty"),
        (&["run", "--config", "config.json", "--script", "x"], "cannot be used with"),
        (&["run", "--project", "."], "required"),
        (&["run", "--filter", "plattform=x", "--", "true"], "is not one of os, platform"),
        (&["run", "--filter", "platform=ubuntu,arch=x86_64", "--", "true"], "one --filter per key"),
        (&["run", "--timeout", "soon", "--", "true"], "is not a duration"),
        (&["run", "--env", "1=2", "--", "true"], "is not KEY=VALUE"),
        (&["run", "--script", "-"], "the script is empty"),
        (&["jobs", "--state", "sleeping"], "possible values: queued"),
        (&["jobs", "--limit", "0"], "--limit"),
        (&["cancel", "not-an-id"], "is not a job id"),
        (&["explain", "0189"], "is not a job id"),
        (&["api", "get", "http://elsewhere/"], "name the server with --server"),
        (&["api", "post", "jobs", "-d", "{oops"], "the body is not JSON"),
        (&["api", "steal", "jobs"], "possible values: get, post, put, patch, delete"),
        (&["jobs", "--server", "localhost:8920"], "is not a server address"),
        (&["jobs", "--enterprise", "a/../b"], "enterprise"),
        (&["ctl", "install-runner", "h", "root"], "-i FILE"),
        (&["ctl", "install-runner", "h", "root", "-P", "x", "--password-stdin"], "cannot be used with"),
        (&["ctl", "install-runner", "h", "root", "--password-stdin"], "its first line is empty"),
        (&["ctl", "install-runner", "h", "root", "-P", "x", "-p", "0"], "--port"),
        (&["ctl", "install-runner", "h", "root", "-P", "x", "--host-key", "SHA256:x"], "is not a fingerprint"),
        (&["ctl", "delete-runner", "h"], "add --yes"),
        (&["ctl", "delete-runner", "h", "--drain", "--cancel-jobs"], "cannot be used with"),
        (&["ctl", "label", "h"], "+LABEL"),
        (&["ctl", "label", "h", "+a=b=c"], "label `a=b=c` is not allowed"),
        (&["ctl", "drain"], "required"),
        (&["ctl", "drain", "h", "--reason", "a\nb"], "one line"),
        (&["ctl", "scope", "h", "team"], "possible values: enterprise, org"),
        (&["ctl", "scope", "h", "org", "a/b"], "name `a/b` is not allowed"),
    ] {
        refused(args, 2, &[said]);
    }
}

#[test]
fn a_credential_is_never_sent_unencrypted_to_another_machine() {
    let args = ["ctl", "install-runner", "h", "root", "-P", "x", "--server", "http://192.0.2.1:8920"];
    refused(&args, 2, &["will not send", "http://192.0.2.1:8920", "https"]);
}

#[test]
fn a_password_in_the_arguments_is_warned_of_and_not_repeated() {
    let (_, _, stderr) = output(&["ctl", "install-runner", "h", "root", "-P", "hunter2"]);
    assert!(stderr.contains("warning: a password on the command line"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_good_configuration_shows_what_its_phases_resolve_to() {
    let (code, table, stderr) = output(&["config", "check", "--project", hello().to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{table}");
    for line in ["PHASE       FILTER", "unit        {\"platform\":[\"ubuntu\"]", "functional  {\"os\":[\"linux\"]}"] {
        assert!(table.contains(line), "{line:?} is not in:\n{table}");
    }
    let file = hello().join("config.json");
    let (code, json, _) = output(&["config", "check", "--json", file.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["valid"], &report["errors"]), (0, &Value::Bool(true), &Value::Array(vec![])));
    assert_eq!(report["phases"].as_object().unwrap().len(), 10);
    for key in ["filters", "timeout_s", "skip"] {
        assert!(report["phases"]["unit"].get(key).is_some(), "{key} is missing");
    }
}

#[test]
fn a_faulty_configuration_shows_every_fault_and_changes_nothing() {
    let dir = write_config(FAULTY);
    let project = dir.path().to_str().unwrap();
    let paths = ["job_dispatch.filters.unti", "job_dispatch.filters.lint.os", "skip_phases[0]"];
    for (args, code) in [
        (&["config", "check", "--project", project][..], 1),
        // Nothing listens where the server should be: a request would be exit code 1.
        (&["run", "--project", project, "--phase", "unit"], 2),
    ] {
        refused(args, code, &paths);
        refused(args, code, &["config.json:1:", "did you mean `unit`?", "3 faults in"]);
    }
    let (code, json, _) = output(&["config", "check", "--json", "--project", project]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["valid"]), (1, &Value::Bool(false)));
    let found: Vec<&str> = report["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!(found, paths);
    for key in ["message", "found", "allowed"] {
        assert!(report["errors"][0].get(key).is_some(), "{key} is missing");
    }
}

#[test]
fn a_configuration_is_read_from_standard_input_and_a_missing_one_is_said() {
    let mut child = shunt(&["config", "check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{}").unwrap();
    let (code, table, _) = parts(&child.wait_with_output().unwrap());
    assert_eq!(code, 0);
    assert!(table.contains("unit        {}"), "{table}");
    let empty = tempfile::tempdir().unwrap();
    let project = empty.path().to_str().unwrap();
    let looked = ".shuntyard/config.json, .delivery/config.json, config.json";
    refused(&["config", "check", "--project", project], 2, &["no configuration in", looked, "--config FILE"]);
    refused(&["run", "--phase", "unit", "--project", project], 2, &[looked]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = shunt(&["completions", "bash"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = output(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains("install-runner"), "{shell}");
    }
}
