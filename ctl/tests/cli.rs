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

/// Runs git in a directory, as somebody.
fn git(dir: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]);
    let done = git.args(words).current_dir(dir).env("HOME", dir).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
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
        "ctl test-runner",
        "ctl accept-host-key",
        "ctl approve",
        "ctl create-token",
        "ctl list-tokens",
        "ctl revoke-token",
        "ctl label",
        "ctl scope",
        "ctl drain",
        "ctl disable",
        "ctl enable",
        "ctl apply",
        "ctl export",
        "secret",
        "secret set",
        "secret list",
        "secret delete",
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
        (&["run", "--project", ".", "--", "true"], "--stage <STAGE>|--phase <PHASE>|--with-tree|--dirty"),
        (&["run", "--config", "config.json", "--", "true"], "cannot be used with"),
        (&["run", "--project", ".", "--script", "x"], "--stage <STAGE>|--phase <PHASE>|--with-tree|--dirty"),
        (&["run", "--config", "config.json", "--script", "x"], "cannot be used with"),
        (&["run", "--project", "."], "required"),
        (&["run", "--stage", "verfy"], "possible values: verify, build"),
        (&["run", "--stage", "build"], "shunt run --stage build --change ID"),
        (&["run", "--stage", "verify", "--", "true"], "cannot be used with"),
        (&["run", "--stage", "verify", "--filter", "os=linux"], "cannot be used with"),
        (&["run", "--stage", "verify", "--artifacts", "out"], "cannot be used with"),
        (&["run", "--stage", "verify", "--change", "0189", "--dirty"], "cannot be used with"),
        (&["run", "--stage", "verify", "--change", "zz"], "is not a change id"),
        (&["run", "--change", "0189", "--phase", "unit"], "cannot be used with"),
        (&["run", "--org", "acme", "--", "true"], "cannot be used with"),
        (&["run", "--stage", "verify", "--failed-only"], "--change"),
        (&["run", "--stage", "verify", "--config", "x.json"], "'--stage <STAGE>' cannot be used with '--config"),
        (&["run", "--failed-only", "--", "ls"], "cannot be used with"),
        (&["run", "--failed-only", "--phase", "unit"], "'--failed-only' cannot be used with '--phase"),
        (&["run", "--failed-only", "--script", "x"], "cannot be used with"),
        (&["run", "--ref", "main", "--with-tree", "--", "ls"], "cannot be used with"),
        (&["run", "--ref", "main", "--stage", "verify", "--change", "0189"], "cannot be used with"),
        (&["change", "follow", "0x"], "at least 4 characters of its beginning or end"),
        (&["change", "show", "0x"], "at least 4 characters of its beginning or end"),
        (&["change", "submit", "--ref", "main"], "--git"),
        (&["change", "submit", "--name", "a/b"], "letters, digits"),
        (&["change", "list", "--state", "opened"], "possible values: open, merged, closed"),
        (&["plan", "--stage", "x"], "possible values: verify"),
        (&["artifacts", "get", "01890000-0000-7000-8000-000000000001", "a[b"], "is not a pattern"),
        (&["org", "create", "../x"], "letters, digits"),
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
        (&["ctl", "create-token", ""], "is not a token's name"),
        (&["ctl", "create-token", "x", "--ttl", "31d"], "30 days at most"),
        (&["ctl", "create-token", "x", "--name", "a;b"], "host name `a;b` is not allowed"),
        (&["ctl", "create-token", "x", "--label", "A"], "label `A` is not allowed"),
        (&["ctl", "create-token", "x", "--scope", "a b"], "organisation `a b` is not allowed"),
        (&["ctl", "delete-runner", "h", "--drain", "--cancel-jobs"], "cannot be used with"),
        (&["ctl", "label", "h"], "+LABEL"),
        (&["ctl", "label", "h", "+a=b=c"], "label `a=b=c` is not allowed"),
        (&["ctl", "drain"], "required"),
        (&["ctl", "drain", "h", "--reason", "a\nb"], "one line"),
        (&["ctl", "scope", "h", "team"], "possible values: enterprise, org"),
        (&["ctl", "scope", "h", "org", "a/b"], "name `a/b` is not allowed"),
        (&["run", "--git", "https://u:hunter2@h/a", "--ref", "main", "--", "true"], "GIT_TOKEN"),
        (&["run", "--git", "ext::sh", "--ref", "main", "--", "true"], "git URL"),
        (&["run", "--git", "https://h/a", "--ref=-x", "--", "true"], "git ref"),
        (&["secret", "set", "token", "--project", "a"], "secret name `token`"),
        (&["secret", "set", "TOKEN", "--project", "a b"], "name `a b`"),
        (&["secret", "set", "TOKEN", "--project", "a"], "1 byte to 64 KiB"),
    ] {
        refused(args, 2, &[said]);
    }
}

#[test]
fn a_credential_is_never_sent_unencrypted_to_another_machine() {
    let (install, secret) =
        (&["ctl", "install-runner", "h", "root", "-P", "x"][..], &["secret", "set", "A", "--project", "a"]);
    for words in [install, secret, &["ctl", "create-token", "x"]] {
        let args = [words, &["--server", "http://192.0.2.1:8920"]].concat();
        refused(&args, 2, &["will not send", "http://192.0.2.1:8920", "https"]);
    }
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
        assert!(script.contains("install-runner") && script.contains("retrigger"), "{shell}");
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
