//! Jobs that start in a clone: made by the runner itself, opened by secrets that nobody sees.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use shuntyard_domain::git_source::NO_FILE;

use super::client::{Client, Ran};
use super::house::{House, await_that, host, truth};
use crate::support::git::{GitDaemon, Repository, WebGit};
use crate::support::sshd::{DEBIAN_12, TestHost};

const CONFIG: &str = r#"{"phases": {"unit": {"run": "sh ./say; git rev-parse HEAD"}}}"#;

fn repository() -> Repository {
    Repository::new(&[("say", "echo hello from the clone\n"), ("config.json", CONFIG)])
}

/// A secret of this run alone: the watch sees the whole machine.
fn unique(word: &str) -> String {
    format!("{word}-{:x}", std::process::id())
}

impl House {
    fn set_secret(&self, name: &str, value: &str) {
        let words = ["secret", "set", name, "--project", "hello"];
        self.begin_with_input(&words, format!("{value}\n").as_bytes()).end().expect(0, &["is set"]);
    }
}

/// `shunt run --git URL --ref REF -- sh -c SCRIPT`
fn clone(house: &House, url: &str, reference: &str, script: &str) -> Ran {
    begin(house, url, reference, script).end()
}

fn begin(house: &House, url: &str, reference: &str, script: &str) -> Client {
    house.begin(&["run", "--git", url, "--ref", reference, "--", "sh", "-c", script])
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Every file below `dir` that holds the secret.
fn files_with(dir: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("its type");
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), secret));
        } else if kind.is_file() && holds(&fs::read(entry.path()).unwrap_or_default(), secret) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

/// Where the secret was seen in a command line or environment of any process while `work` ran. The server lets a clone
/// wait that has logged in, until the watch has seen its processes a few times.
fn watched<T>(web: &WebGit, secret: &str, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    /// Ends the watch also when the work panics.
    struct Work<'a>(&'a AtomicBool);
    impl Drop for Work<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    web.hold(true);
    std::thread::scope(|scope| {
        let working = Work(&over);
        let watch = scope.spawn(|| {
            let (mut seen, mut looks) = (Vec::new(), 0);
            while !over.load(Ordering::Relaxed) {
                let mut clones = false;
                for process in fs::read_dir("/proc").expect("/proc").flatten() {
                    let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
                    let (words, environment) = (read("cmdline"), read("environ"));
                    clones |= holds(&words, &web.url()) && holds(&words, "fetch");
                    for text in [words, environment].iter().filter(|text| holds(text, secret)) {
                        seen.push(String::from_utf8_lossy(text).replace('\0', " "));
                    }
                }
                looks += u32::from(clones);
                web.hold(looks < 3);
            }
            seen
        });
        let done = work();
        drop(working);
        (done, watch.join().expect("the watch"))
    })
}

#[test]
fn a_runner_clones_what_a_job_names_and_the_phase_runs_with_the_configuration_of_the_ref() {
    let (repository, host) = (repository(), host("u1", DEBIAN_12));
    let daemon = GitDaemon::start(&repository);
    let house = House::start();
    // The wrapper is root's there, and is read again by the job's account.
    house.enrol_with_root(&host, 2);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let ran = clone(&house, &daemon.url(), "main", "sh ./say; echo $SHUNT_PROJECT; exit 5");
    ran.expect(5, &["hello from the clone\nhello\n", &format!("starting in commit {commit}")]);
    let job = &house.api("jobs?state=all")[0];
    assert_eq!((&job["git"]["ref"], &job["git"]["url"]), (&"main".into(), &daemon.url().into()), "{job}");
    clone(&house, &daemon.url(), "gone", "true").expect(128, &["has no gone"]);

    let phase = || {
        let mut command = house.shunt_command();
        command.env("PATH", std::env::var("PATH").expect("a PATH")).env("HOME", house.home());
        command.args(["run", "--phase", "unit", "--git", &daemon.url(), "--ref", "main"]);
        command
    };
    // A checkout from then on falls behind its origin.
    let checkout = house.home().join("hello");
    let mut git = Command::new("git");
    git.args(["clone", "-q"]).arg(repository.path()).arg(&checkout).env("HOME", house.home());
    git.args(["-c", "safe.directory=*"]);
    assert!(git.status().expect("git").success());
    let mut committed = phase();
    committed.current_dir(&checkout);
    // What lies in the directory is not what is run.
    fs::write(checkout.join("config.json"), "{}").unwrap();
    Client::start(committed, b"").end().expect(0, &["hello from the clone", &commit, "of main"]);
    repository.commit(&[("config.json", "{\"phases\": {\"unit\": {\"run\": \"echo other\"}}}")]);
    let mut behind = phase();
    behind.current_dir(&checkout);
    Client::start(behind, b"").end().expect(128, &["is not the configuration that this was planned with"]);
}

#[test]
fn a_change_in_a_repository_is_planned_by_its_configuration_and_run_in_its_clone() {
    let (repository, host) = (repository(), host("u1", DEBIAN_12));
    let daemon = GitDaemon::start(&repository);
    let house = House::with(&[(&host, 1)]);
    let path = "orgs/default/projects/hello/pipelines/master/changes";
    let submit = |config: &str| {
        let source = json!({"git": {"url": daemon.url(), "ref": repository.git(&["rev-parse", "HEAD"])}});
        let body = json!({"title": "from git", "source": source, "config": config}).to_string();
        house.shunt(&["api", "post", path, "-d", &body]).expect(0, &[]);
        let mut job = Value::Null;
        let mut submitted = || {
            job = house.api("jobs?state=all")[0].clone();
            job["git"]["ref"] == repository.git(&["rev-parse", "HEAD"]).as_str()
        };
        await_that("its job is submitted", &mut submitted, || house.log());
        let id = job["id"].as_str().unwrap().to_owned();
        (house.await_end(&id), house.shunt(&["logs", &id]).text())
    };
    let (job, log) = submit(CONFIG);
    assert_eq!((&job["state"], &job["phase"]), (&"succeeded".into(), &"unit".into()), "{job} {log}");
    assert!(log.contains("hello from the clone"), "{log}");
    assert_eq!(job["git"]["config_blob"], repository.git(&["rev-parse", "HEAD:config.json"]).as_str());
    assert_eq!(job["git"]["local_blob"], NO_FILE);
    // A branch could be another tree by the time it is approved.
    let body = json!({"title": "x", "source": {"git": {"url": daemon.url(), "ref": "main"}}, "config": CONFIG});
    house.shunt(&["api", "post", path, "-d", &body.to_string()]).expect(1, &["git rev-parse"]);
    repository.commit(&[("config.json", "{\"phases\": {\"unit\": {\"run\": \"echo other\"}}}")]);
    let (job, log) = submit(CONFIG);
    assert_eq!((&job["state"], &job["exit_code"]), (&"failed".into(), &128.into()), "{job} {log}");
    assert!(log.contains("is not the configuration"), "{log}");
}

#[test]
fn a_token_opens_the_repository_and_is_seen_nowhere() {
    let (repository, host) = (repository(), host("u1", DEBIAN_12));
    let token = unique("s3same");
    let web = WebGit::start(&repository, &format!("robot:{token}"), None);
    let house = House::start_logging("trace");
    house.enrol(&host, 1);
    clone(&house, &web.url(), "main", "true").expect(128, &["asks for a login", "GIT_TOKEN"]);
    let wrong = unique("wr0ng");
    let path = "orgs/default/projects/hello/secrets/GIT_TOKEN";
    for body in [r#"{"value": 12345678}"#, r#"["12345678"]"#, r#"{"12345678": ""}"#, r#"{"value": ["12345678"]}"#] {
        let ran = house.shunt(&["api", "put", path, "-d", body]);
        ran.expect(1, &["TEXT"]);
        assert!(!ran.text().contains("12345678"), "{body}");
    }
    house.set_secret("GIT_USERNAME", "robot");
    house.set_secret("GIT_TOKEN", &wrong);
    let (ran, seen) = watched(&web, &wrong, || clone(&house, &web.url(), "main", "true"));
    ran.expect(128, &["does not accept the project's secrets"]);
    assert_eq!(seen, [""; 0]);
    house.set_secret("GIT_TOKEN", &token);
    let script =
        "sh ./say; env; cat .git/config; tr '\\0' '\\n' </proc/$$/environ; ls -A ~/.cache/shuntyard/j/$SHUNT_JOB";
    let (ran, seen) = watched(&web, &token, || clone(&house, &web.url(), "main", script));
    ran.expect(0, &["hello from the clone"]);
    assert_eq!(seen, [""; 0]);
    assert!(ran.text().contains("\nscript\n") && !ran.text().contains("source"), "{}", ran.text());
    house.await_empty_spool(&host);

    let listed = house.shunt(&["secret", "list", "--project", "hello"]);
    listed.expect(0, &["GIT_TOKEN", "GIT_USERNAME"]);
    let jobs = house.api("jobs?state=all");
    let mut told = format!("{jobs}{}{}", house.log(), house.api("orgs/default/projects/hello/secrets"));
    for job in jobs.as_array().unwrap() {
        let id = job["id"].as_str().unwrap();
        told += &format!(
            "{}{}{}",
            house.job(id),
            house.api(&format!("jobs/{id}/events")),
            house.shunt(&["logs", id]).text()
        );
    }
    for secret in [&token, &wrong] {
        assert!(!told.contains(secret.as_str()) && !host.log().contains(secret.as_str()), "{secret} is told");
        assert_eq!(files_with(house.home(), secret), [""; 0], "on the dispatcher's side");
        for dir in ["home", "root", "run", "var/lib", "var/tmp", "tmp", "dev/shm"] {
            assert_eq!(files_with(&host.path(dir), secret), [""; 0], "on the host");
        }
    }
    house.shunt(&["secret", "delete", "GIT_TOKEN", "--project", "hello"]).expect(0, &["is deleted"]);
    house.shunt(&["secret", "delete", "GIT_TOKEN", "--project", "hello"]).expect(1, &["has no secret GIT_TOKEN"]);
    clone(&house, &web.url(), "main", "true").expect(128, &["asks for a login"]);
}

#[test]
fn a_clone_that_hangs_is_cancelled_and_its_credentials_are_removed() {
    let (repository, host) = (repository(), host("u1", DEBIAN_12));
    let token = unique("h4nging");
    let web = WebGit::start(&repository, &format!("git:{token}"), None);
    let house = House::with(&[(&host, 1)]);
    house.set_secret("GIT_TOKEN", &token);
    let url = format!("{}/hang/hello.git", web.origin());
    let words = ["run", "--detach", "--git", &url, "--ref", "main", "--", "sh", "-c", "echo x >~/started"];
    let id = house.shunt(&words).text().trim().to_owned();
    await_that("the server is asked", || !web.requests().is_empty(), || house.job(&id).to_string());
    house.await_state(&id, &["running"]);
    assert!(!files_with(&host.path("home"), &token).is_empty(), "the token is there while it is needed");
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let job = house.await_end(&id);
    assert_eq!(job["state"], "cancelled", "{job}");
    assert_eq!(job["receipt"]["left"]["count"], 0, "{job}");
    assert_eq!(files_with(&host.path("home"), &token), [""; 0]);
    assert_eq!(truth(&host, "started"), "");
}

/// A repository in the home of `deploy`, which a new key opens by ssh; returns URL, key and the line of known hosts.
fn behind_ssh(host: &TestHost, dir: &Path) -> (String, String, String) {
    host.run_inside(
        "su deploy -c 'cd && mkdir hello.git && cd hello.git && git init -q -b main && echo \"echo over ssh\" >say && \
         git add -A && git -c user.name=t -c user.email=t@example.com commit -q -m one'",
    );
    let key = dir.join("key");
    let mut keygen = Command::new("ssh-keygen");
    assert!(
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "deploy-key", "-f"]).arg(&key).status().unwrap().success()
    );
    host.authorize("deploy", &fs::read_to_string(dir.join("key.pub")).unwrap());
    (
        format!("ssh://deploy@127.0.0.1:{}/home/deploy/hello.git", host.port),
        fs::read_to_string(key).unwrap(),
        format!("[127.0.0.1]:{} {}\n", host.port, host.host_keys[0]),
    )
}

#[test]
fn a_key_opens_the_repository_of_a_host_that_was_vouched_for() {
    let (runner, server) = (host("u1", DEBIAN_12), host("git", DEBIAN_12));
    let house = House::with(&[(&runner, 1)]);
    let outside = tempfile::tempdir().unwrap();
    let (url, key, known) = behind_ssh(&server, outside.path());
    clone(&house, &url, "main", "true").expect(1, &["project hello has no secret GIT_SSH_KEY"]);
    house.set_secret("GIT_SSH_KEY", &key);
    clone(&house, &url, "main", "true").expect(1, &["project hello has no secret GIT_KNOWN_HOSTS"]);
    // The host shows another key than the one that was vouched for.
    house.set_secret("GIT_KNOWN_HOSTS", &format!("[127.0.0.1]:{} {}", server.port, runner.host_keys[0]));
    clone(&house, &url, "main", "true").expect(128, &["GIT_KNOWN_HOSTS"]);
    house.set_secret("GIT_KNOWN_HOSTS", &known);
    clone(&house, &url, "main", "sh ./say; ls -A ~/.ssh").expect(0, &["over ssh\n"]);
    let of_key = key.lines().nth(2).unwrap();
    assert_eq!(files_with(&runner.path("home"), of_key), [""; 0]);
}

#[test]
fn a_job_waits_for_a_host_with_git_and_ends_when_its_secret_has_gone_meanwhile() {
    let (bare, server) = (host("bare", DEBIAN_12), host("git", DEBIAN_12));
    // Nothing that is no file can be started.
    bare.run_inside("for d in /usr/local/bin /usr/bin /bin; do [ ! -f $d/git ] || mount --bind /dev/null $d/git; done");
    let house = House::with(&[(&bare, 1)]);
    let outside = tempfile::tempdir().unwrap();
    let (url, key, known) = behind_ssh(&server, outside.path());
    house.set_secret("GIT_SSH_KEY", &key);
    house.set_secret("GIT_KNOWN_HOSTS", &known);
    let words = ["run", "--detach", "--git", &url, "--ref", "main", "--", "sh", "-c", "echo x >~/started"];
    let id = house.shunt(&words).text().trim().to_owned();
    house.shunt(&["explain", &id]).expect(0, &["tool=git"]);
    house.shunt(&["secret", "delete", "GIT_SSH_KEY", "--project", "hello"]).expect(0, &[]);
    house.enrol(&server, 1);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["not_run_reason"]), (&"failed".into(), &"placements_exhausted".into()), "{job}");
    let events = house.api(&format!("jobs/{id}/events")).to_string();
    assert!(events.contains("project hello has no secret GIT_SSH_KEY"), "{events}");
    assert_eq!(truth(&server, "started"), "");
}
