//! The settings of projects: `shunt config check`, and what a change is checked by.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::{git, hello, output, parts, refused, shunt, write_config};

/// Three faults in three places.
const FAULTY: &str =
    r#"{"job_dispatch": {"version": "v2", "filters": {"unti": {}, "lint": {"os": []}}}, "skip_phases": ["x"]}"#;

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
        (&["run", "--project", project, "--stage", "verify", "--dirty", "--name", "x"], 2),
        (&["change", "submit", "--project", project, "--dirty", "--name", "x"], 2),
        (&["plan", "--project", project, "--name", "x"], 2),
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
fn a_check_reads_project_toml_too_and_says_where_each_command_stands() {
    let dir = write_config(r#"{"phases": {"unit": {"run": "make"}, "lint": {"env": {"A": "b"}}}}"#);
    let project = dir.path().to_str().unwrap();
    let file = |name: &str| dir.path().join(name);
    std::fs::create_dir(file(".delivery")).unwrap();
    std::fs::write(file(".delivery/project.toml"), "[local_phases]\nunit = \"rake\"\nlint = \"cookstyle\"\n").unwrap();
    // The configuration may be named by itself: the project is the one that it lies in.
    std::fs::rename(file("config.json"), file(".delivery/config.json")).unwrap();
    let config = file(".delivery/config.json");
    for args in [&["config", "check", config.to_str().unwrap()][..], &["config", "check", "--project", project]] {
        let (code, table, _) = output(args);
        let commands: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
        assert_eq!((code, &commands[..4]), (0, &["COMMAND", "config.json", "project.toml", "-"][..]), "{table}");
    }
    std::fs::write(file(".delivery/project.toml"), "[local_phases]\nunti = \"rake\"\nlint = 3\n").unwrap();
    std::fs::write(file(".delivery/config.json"), r#"{"skip_phases": ["untit"], "dependencies": ["a b"]}"#).unwrap();
    let said =
        ["config.json:1:", "skip_phases[0]", "dependencies[0]", "2 faults in", "project.toml:2:1: local_phases.unti"];
    refused(&["config", "check", "--project", project], 1, &said);
    refused(
        &["config", "check", "--project", project],
        1,
        &["did you mean `unit`?", "project.toml:3:8: local_phases.lint"],
    );
    let (code, json, _) = output(&["config", "check", "--json", "--project", project]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["local_phases"]["errors"][0]["nearest"]), (1, &"unit".into()));
    assert!(report["local_phases"]["file"].as_str().unwrap().ends_with(".delivery/project.toml"), "{report}");
    std::fs::write(file(".delivery/config.json"), "{}").unwrap();
    refused(&["config", "check", "--project", project], 1, &["2 faults in"]);
}

#[test]
fn the_projects_of_the_fixtures_say_what_every_phase_does() {
    for (project, files) in [
        ("bytesize-rust", &["config"; 10]),
        ("wordfreq-python", &["config"; 10]),
        ("rotate-shell", &["local_phases"; 10]),
    ] {
        let dir = hello().parent().unwrap().join(project);
        let (code, json, stderr) = output(&["config", "check", "--json", "--project", dir.to_str().unwrap()]);
        let report: Value = serde_json::from_str(&json).unwrap();
        let phases = report["phases"].as_object().unwrap().values();
        let said_in: Vec<&str> = phases.map(|phase| phase["said_in"].as_str().unwrap_or("nowhere")).collect();
        assert_eq!((code, stderr.as_str(), &said_in[..]), (0, "", &files[..]), "{project}");
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
    for command in
        [&["run", "--phase", "unit"][..], &["change", "submit", "--dirty", "--name", "x"], &["plan", "--name", "x"]]
    {
        refused(&[command, &["--project", project]].concat(), 2, &[looked]);
    }
}

#[test]
fn a_change_is_checked_as_it_was_committed_and_not_as_it_lies_there() {
    let dir = write_config(FAULTY);
    let project = dir.path().to_str().unwrap();
    let submit = ["change", "submit", "--name", "x", "--project", project];
    refused(&submit, 1, &["has no commit", "not a git repository", "--dirty"]);
    git(dir.path(), &["init", "-q"]);
    refused(&submit, 1, &["has no commit", "--dirty"]);
    git(dir.path(), &["commit", "-q", "--allow-empty", "-m", "nothing"]);
    refused(&submit, 2, &["the last commit in", "has no configuration", "--dirty"]);
    refused(&[&submit[..], &["--git", "https://git.example.com/x"]].concat(), 2, &["has no configuration"]);
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-q", "-m", "faulty"]);
    std::fs::write(dir.path().join("config.json"), r#"{"phases": {"unit": {"run": "true"}}}"#).unwrap();
    refused(&submit, 2, &["HEAD:config.json:1:", "3 faults"]);
    refused(&[&submit[..], &["--git", "https://git.example.com/x"]].concat(), 2, &[":config.json:1:", "3 faults"]);
    // What lies there is correct: only the server is missing.
    refused(&[&submit[..], &["--dirty"]].concat(), 1, &["connection refused"]);
    git(dir.path(), &["commit", "-q", "-a", "-m", "mended"]);
    refused(&submit, 1, &["connection refused"]);
    refused(&[&submit[..], &["--git"]].concat(), 2, &["no remote `origin`", "--git URL"]);
    refused(&[&submit[..], &["--git", "ext::sh -c id"]].concat(), 2, &["git URL", "is not allowed"]);
    for reference in ["nope", "--all", "HEAD..HEAD"] {
        let flags = ["--git", "https://git.example.com/x", &format!("--ref={reference}")];
        refused(&[&submit[..], &flags].concat(), 2, &["is no commit of the repository"]);
    }
    refused(&[&submit[..], &["--git", "https://git.example.com/x"]].concat(), 1, &["is it pushed?", "refused"]);
    refused(&[&submit[..], &["--title", "a\nb"]].concat(), 2, &["title", "one line"]);
}

#[test]
fn a_configuration_without_commands_is_warned_of() {
    let dir = write_config(r#"{"job_dispatch": {"version": "v2", "filters": {}}}"#);
    let project = dir.path().to_str().unwrap();
    refused(&["plan", "--name", "x", "--project", project], 1, &["no phase says what it runs", "refused"]);
}
