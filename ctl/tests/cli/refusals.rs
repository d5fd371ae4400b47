//! Bad input, a server that is not there, credentials that must not travel.

use std::process::Stdio;

use super::{output, parts, refused, shunt};

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
        (&["run", "--filter", "platform=ubuntu,arch=x86_64", "--", "true"], "written by itself"),
        (&["run", "--timeout", "soon", "--", "true"], "is not a duration"),
        (&["run", "--env", "1=2", "--", "true"], "is not KEY=VALUE"),
        (&["run", "--script", "-"], "the script is empty"),
        (&["jobs", "--state", "sleeping"], "possible values: queued"),
        (&["jobs", "--limit", "0"], "--limit"),
        (&["cancel", "not-an-id"], "is not a job id"),
        (&["explain", "018"], "is not a job id"),
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
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = shunt(&["completions", "bash"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
