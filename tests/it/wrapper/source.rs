//! Jobs that start in a clone: what the script finds, and what a clone that fails leaves.

use std::collections::BTreeMap;
use std::fs;

use shuntyard_domain::git_source::{GitAccess, GitSource, NO_FILE};
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{Control, ErrCode};
use shuntyard_domain::wire::frame::{Frame, Verb, Word, next_attempt};
use shuntyard_domain::wire::secret_files::FrameSecrets;
use shuntyard_domain::wrapper::WRAPPER;

use super::driver::*;
use crate::support::git::{GitDaemon, Repository, WebGit};

const LOGIN: &str = "deployer:hunter2-$(id)'\"\\n";
const TOKEN: &str = "hunter2-$(id)'\"\\n";

fn repository() -> Repository {
    Repository::new(&[("say", "echo hello\n"), ("config.json", "{}\n")])
}

/// Runs a check under every shell, the clone too: for a job it is always /bin/sh that reads the wrapper again.
fn under_every_shell_cloning(check: impl Fn(&Host)) {
    under_every_shell(|host| {
        let shell = host.shell.argv.join(" ");
        let text = WRAPPER.replace("/bin/sh \"$1\" fetch", &format!("{shell} \"$1\" fetch"));
        let text = text.replace("exec /bin/sh \"$0\" clone", &format!("exec {shell} \"$0\" clone"));
        let text = text.replace("exec /bin/sh \"$SHUNT_WRAPPER\"", &format!("exec {shell} \"$SHUNT_WRAPPER\""));
        let times = |again: &str| text.matches(&format!("{shell} {again}")).count();
        assert_eq!((times("\"$1\" fetch"), times("\"$0\" clone")), (1, 1));
        fs::write(host.base().join("wrapper-1"), text).unwrap();
        check(host);
    });
}

fn cloning(url: &str, reference: &str, script: &str) -> JobSpec {
    let source = GitSource { url: url.into(), reference: reference.into(), config_blob: None, local_blob: None };
    JobSpec { git: Some(source), ..spec(script) }
}

fn frame(spec: &JobSpec, access: &GitAccess<'_>) -> Vec<u8> {
    let secrets = FrameSecrets { git: *access, ..FrameSecrets::default() };
    Frame { spec, env: &BTreeMap::new() }.encode_with(&secrets).unwrap()
}

fn run(host: &Host, id: AttemptId, spec: &JobSpec, access: &GitAccess<'_>) -> Channel {
    let nonce = nonce();
    let mut channel = host.open(&Verb::Run { id, nonce: &nonce, offset: 0 }, &nonce);
    channel.send(&frame(spec, access));
    channel
}

fn opened() -> GitAccess<'static> {
    GitAccess { username: Some("deployer"), token: Some(TOKEN), ..GitAccess::default() }
}

#[test]
fn a_job_starts_in_the_files_of_its_ref_and_the_next_one_on_the_channel_in_its_own() {
    let repository = repository();
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    let second = repository.commit(&[("say", "echo hello again\n")]);
    let daemon = GitDaemon::start(&repository);
    under_every_shell_cloning(|host| {
        let script = "sh ./say; git rev-parse HEAD; echo code $GIT_TERMINAL_PROMPT; exit 3";
        let mut channel = run(host, id(0), &cloning(&daemon.url(), "main", script), &GitAccess::default());
        let end = channel.wait_end(0);
        let expected = format!(
            "shuntyard: fetching main of {}\nshuntyard: starting in commit {second}\nhello again\n{second}\ncode\n",
            daemon.url()
        );
        assert_eq!((end.exit_code, String::from_utf8_lossy(&channel.output()).into_owned()), (3, expected));
        for (n, (reference, commit)) in
            [("v1", &first), ("refs/heads/main", &second), (first.as_str(), &first)].into_iter().enumerate()
        {
            channel.nonce = nonce();
            let id = id(1 + n as u128);
            let frame = frame(&cloning(&daemon.url(), reference, "git rev-parse HEAD; ls"), &GitAccess::default());
            channel.send(&[next_attempt(id, &channel.nonce).as_bytes(), &frame].concat());
            let end = channel.wait_end(0);
            let output = String::from_utf8_lossy(&channel.output()).into_owned();
            assert!(end.exit_code == 0 && output.ends_with(&format!("{commit}\nconfig.json\nsay\n")), "{output}");
        }
        // Nothing of the clone before it is left to a job without one.
        channel.nonce = nonce();
        let frame = Frame { spec: &spec("ls -A"), env: &BTreeMap::new() }.encode().unwrap();
        channel.send(&[next_attempt(id(9), &channel.nonce).as_bytes(), &frame].concat());
        channel.wait_end(0);
        assert_eq!(channel.output(), b"");
        channel.word(Word::Ack { remove: true });
        channel.wait_closed();
    });
}

#[test]
fn variables_of_the_job_that_are_called_like_those_of_the_wrapper_do_not_reach_the_clone() {
    let repository = repository();
    let web = WebGit::start(&repository, LOGIN, None);
    let names = ["url", "source", "reference", "newline", "spool", "id", "base", "line", "work"];
    under_every_shell_cloning(|host| {
        let mut spec = cloning(&web.url(), "main", "cat say; printf '%s\\n' \"$url $newline $spool $base $id\"");
        spec.env = names.map(|name| (name.to_owned(), "of the job".to_owned())).into();
        let nonce = nonce();
        let mut channel = host.open(&Verb::Run { id: id(0), nonce: &nonce, offset: 0 }, &nonce);
        let secrets = FrameSecrets { git: opened(), ..FrameSecrets::default() };
        channel.send(&Frame { spec: &spec, env: &spec.env }.encode_with(&secrets).unwrap());
        let (end, output) = channel.finish();
        let told = ["of the job"; 5].join(" ");
        assert!(
            end.exit_code == 0 && output.ends_with(&format!("echo hello\n{told}\n")),
            "{:?} {output}",
            host.shell.argv
        );
    });
}

#[test]
fn what_opens_the_repository_is_gone_before_the_script_starts() {
    let repository = repository();
    let older = repository.git(&["rev-parse", "HEAD"]);
    repository.commit(&[("say", "echo newer\n")]);
    let web = WebGit::start(&repository, LOGIN, None);
    under_every_shell_cloning(|host| {
        // `*` in environ and cmdline: of this shell and of everything that lives in the job.
        let script = "cat .git/config .git/FETCH_HEAD; env; tr '\\0' '\\n' </proc/$$/environ; \
                      grep -rls hunter2 .. ../../j 2>/dev/null | grep -v /script; ls -A ../../j/$SHUNT_JOB; exit 4";
        for (n, reference) in ["main", &older].into_iter().enumerate() {
            let spec = cloning(&web.url(), reference, script);
            let (end, output) = run(host, id(n as u128), &spec, &opened()).finish();
            assert_eq!(end.exit_code, 4, "{output}");
            assert!(!output.contains("hunter2") && !output.contains("deployer"), "{output}");
            assert!(output.contains("script\n") && !output.contains("source\n"), "{output}");
        }
    });
}

#[test]
fn a_clone_that_fails_says_why_and_starts_nothing() {
    let repository = repository();
    let (web, daemon) = (WebGit::start(&repository, LOGIN, None), GitDaemon::start(&repository));
    let nobody = format!("git://127.0.0.1:{}/none.git", daemon.port);
    let wrong = GitAccess { token: Some("wrong-hunter2"), ..opened() };
    let nothing = GitAccess::default();
    let unknown = "0123456789012345678901234567890123456789";
    under_every_shell_cloning(|host| {
        for (n, (url, reference, access, said)) in [
            (&web.url(), "main", &wrong, "does not accept the project's secrets GIT_USERNAME and GIT_TOKEN"),
            (&web.url(), "main", &nothing, "asks for a login"),
            (&web.url(), unknown, &opened(), "has no commit 0123"),
            (&daemon.url(), "gone", &nothing, "has no gone (a commit is named by all its 40 digits)"),
            (&daemon.url(), unknown, &nothing, "has no commit 0123"),
            (&nobody, "main", &nothing, "main of git://"),
        ]
        .into_iter()
        .enumerate()
        // What git says is the same under every shell.
        .filter(|(n, _)| *n < 2 || host.shell.argv == ["dash"])
        {
            let spec = cloning(url, reference, "echo the script runs");
            let channel = run(host, id(n as u128), &spec, access);
            let end = channel.wait_end(0);
            let output = String::from_utf8_lossy(&channel.output()).into_owned();
            assert_eq!(end.exit_code, 128, "{output}");
            assert!(output.contains("shuntyard: the job did not start: ") && output.contains(said), "{output}");
            assert!(!output.contains("the script runs") && !output.contains("hunter2"), "{output}");
            assert!(!host.spool(id(n as u128)).join("source").exists());
            channel.finish();
        }
    });
}

#[test]
fn a_token_is_told_only_to_the_place_of_the_url() {
    let repository = repository();
    let other = WebGit::start(&repository, LOGIN, None);
    let web = WebGit::start(&repository, LOGIN, Some(other.origin()));
    let host = Host::new(&SHELLS[0]);
    let spec = cloning(&format!("{}/moved/hello.git", web.origin()), "main", "true");
    let (end, output) = run(&host, id(1), &spec, &opened()).finish();
    assert_eq!(end.exit_code, 128, "{output}");
    let asked = other.requests();
    assert!(!asked.is_empty() && !asked.iter().any(|head| head.to_lowercase().contains("authorization")), "{asked:?}");
}

#[test]
fn a_clone_with_another_configuration_than_the_planned_one_is_not_run() {
    let repository = repository();
    let blob = repository.git(&["rev-parse", "HEAD:config.json"]);
    let daemon = GitDaemon::start(&repository);
    let host = Host::new(&SHELLS[0]);
    let planned = |blob: &str| {
        let mut spec = cloning(&daemon.url(), "main", "echo the script runs");
        spec.git.as_mut().unwrap().config_blob = Some(blob.into());
        spec
    };
    let (end, output) = run(&host, id(1), &planned(&blob), &GitAccess::default()).finish();
    assert!(end.exit_code == 0 && output.contains("the script runs"), "{output}");
    let (end, output) = run(&host, id(2), &planned(&"0".repeat(40)), &GitAccess::default()).finish();
    assert!(end.exit_code == 128 && output.contains("config.json of commit"), "{output}");
    assert!(output.contains("is not the configuration") && !output.contains("the script runs"), "{output}");
    // project.toml is held to the same, and also when it was planned without one.
    let beside = |n: u128, local: &str| {
        let mut spec = planned(&blob);
        spec.git.as_mut().unwrap().local_blob = Some(local.into());
        run(&host, id(n), &spec, &GitAccess::default()).finish()
    };
    assert_eq!(beside(4, NO_FILE).0.exit_code, 0);
    let (end, output) = beside(5, &blob);
    assert!(end.exit_code == 128 && output.contains("has no project.toml"), "{output}");
    repository.commit(&[(".delivery/project.toml", "")]);
    let local = repository.git(&["rev-parse", "HEAD:.delivery/project.toml"]);
    assert_eq!(beside(6, &local).0.exit_code, 0);
    for (n, other) in [(7, NO_FILE), (8, blob.as_str())] {
        let (end, output) = beside(n, other);
        assert!(end.exit_code == 128 && output.contains(".delivery/project.toml of commit"), "{output}");
    }
    // The first one that is found counts, as for whoever reads a directory.
    repository.commit(&[(".delivery/config.json", "{ }\n")]);
    let (end, output) = run(&host, id(3), &planned(&blob), &GitAccess::default()).finish();
    assert!(end.exit_code == 128 && output.contains(".delivery/config.json of commit"), "{output}");
}

#[test]
fn a_hanging_clone_is_cancelled_and_leaves_no_credentials() {
    let repository = repository();
    let web = WebGit::start(&repository, LOGIN, None);
    under_every_shell_cloning(|host| {
        for (n, grace_s) in [1, 0].into_iter().enumerate() {
            let (id, asked) = (id(n as u128), web.requests().len());
            let spec = cloning(&format!("{}/hang/hello.git", web.origin()), "main", "echo the script runs");
            let mut channel = run(host, id, &spec, &opened());
            channel.wait_ok();
            wait_until("the server is asked", || web.requests().len() > asked, String::new);
            assert!(host.spool(id).join("source/token").exists());
            channel.word(Word::Cancel { grace_s: Some(grace_s) });
            let end = channel.wait_end(0);
            assert_eq!(end.stopped, Some(StopReason::User));
            assert!(!host.spool(id).join("source").exists(), "grace {grace_s}");
            assert!(!String::from_utf8_lossy(&channel.output()).contains("the script runs"));
            channel.finish();
        }
    });
}

#[test]
fn a_hello_removes_the_credentials_of_a_clone_that_was_killed_with_all_that_looks_after_it() {
    let repository = repository();
    let web = WebGit::start(&repository, LOGIN, None);
    under_every_shell_cloning(|host| {
        let asked = web.requests().len();
        let spec = cloning(&format!("{}/hang/hello.git", web.origin()), "main", "true");
        let mut channel = run(host, id(1), &spec, &opened());
        let waiter = channel.wait_ok();
        wait_until("the server is asked", || web.requests().len() > asked, String::new);
        let token = host.spool(id(1)).join("source/token");
        host.ask(|nonce| Verb::Hello { nonce });
        assert!(token.exists(), "a clone that lives is let alone");
        // WAITER START LEADER START BOOT
        let pids = fs::read_to_string(host.spool(id(1)).join("pid")).unwrap();
        let leader = pids.split(' ').nth(2).unwrap().to_owned();
        channel.child.kill().unwrap();
        for target in [waiter.to_string(), format!("-{leader}")] {
            super::driver::run(std::process::Command::new("kill").args(["-KILL", "--", &target]));
        }
        wait_until("the clone is dead", || !runs(leader.parse().unwrap()), String::new);
        host.ask(|nonce| Verb::Hello { nonce });
        wait_until("the credentials are gone", || !token.exists(), String::new);
    });
}

#[test]
fn a_host_without_git_and_a_wrapper_without_clones_refuse_before_the_claim() {
    under_every_shell(|host| {
        let spec = cloning("git://127.0.0.1:1/a", "main", "true");
        let empty = host.dir.path().join("empty");
        fs::create_dir_all(&empty).unwrap();
        let nonce = nonce();
        let line = host.base().join("wrapper-1");
        let mut command = host.shell_command();
        command.arg(line).args(["run", &id(1).to_string(), nonce.as_str(), "0"]);
        // Programs that a wrapper needs, without git.
        for program in ["head", "cat", "sh", "rm", "mkdir", "sleep", "ls"] {
            let _ = std::os::unix::fs::symlink(format!("/bin/{program}"), empty.join(program));
        }
        let program = command.get_program().to_owned();
        let found = ["/bin", "/usr/bin"].map(|dir| std::path::Path::new(dir).join(&program));
        let found = found.into_iter().find(|path| path.exists()).unwrap();
        let mut bare = std::process::Command::new(found);
        bare.args(command.get_args()).env_clear().env("PATH", &empty).env("HOME", host.dir.path());
        let mut channel = Channel::start(bare, nonce, host.shell);
        channel.send(&frame(&spec, &GitAccess::default()));
        channel.close();
        channel.wait_closed();
        let refused = |c: &Control| matches!(c, Control::Err { code: ErrCode::Workspace, .. });
        channel.wait_control("err workspace", refused);
        assert!(!host.spool(id(1)).exists() && !host.base().join("c").join(id(1).to_string()).exists());
    });
    // A wrapper of before reads frames of version 1 only.
    let frame = frame(&cloning("git://127.0.0.1:1/a", "main", "true"), &GitAccess::default());
    assert!(frame.starts_with(b"2 "));
}
