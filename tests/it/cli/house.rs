//! A dispatcher of its own for one test: the real `shuntd` and `shunt`, and hosts with a real sshd.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Ran};
use crate::support::sshd::{DEPLOY_PASSWORD, HostSpec, TestHost, free_port};

/// Far beyond what anything takes here, also on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A job that blocks until `~/go` exists.
pub const BLOCKER: &str = "echo begun; until [ -e ~/go ]; do sleep 0.05; done; echo done";

/// Starts a host that is quick to make: one host key, many sessions.
pub fn host(hostname: &str, os_release: &'static str) -> TestHost {
    TestHost::start(HostSpec {
        hostname: hostname.into(),
        os_release,
        max_sessions: 40,
        host_key_types: vec!["ed25519"],
        ..HostSpec::default()
    })
}

/// Waits for a condition; `state` is printed when it does not come.
pub fn await_that(what: &str, condition: impl FnMut() -> bool, state: impl Fn() -> String) {
    await_within(LIMIT, what, condition, state);
}

/// As `await_that`, for what takes its time.
pub fn await_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool, state: impl Fn() -> String) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}\n{}", state());
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// The path of a program of this workspace.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_shuntd")).with_file_name(name)
}

/// A command with nothing of the tester's environment but what `home` holds.
pub fn command(name: &str, home: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", home).env("TMPDIR", home);
    command.env("XDG_DATA_HOME", home.join("share")).stdin(Stdio::null());
    command
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).expect("a signal to our own process");
}

/// `shuntd serve` with a data directory of its own. Everything ends when it is dropped.
pub struct House {
    home: TempDir,
    /// `127.0.0.1:PORT`; the same after a restart.
    address: String,
    shuntd: Option<Child>,
    /// How often a dispatcher was ready here before the one that runs.
    starts_before: usize,
    /// What `RUST_LOG` says; empty: nothing.
    rust_log: &'static str,
    /// Settings of the dispatcher: names and values of environment variables.
    settings: &'static [(&'static str, &'static str)],
}

impl House {
    /// Starts a dispatcher without runners.
    pub fn start() -> Self {
        Self::start_logging("")
    }

    /// As `start`, with a `RUST_LOG` for the dispatcher.
    pub fn start_logging(rust_log: &'static str) -> Self {
        Self::start_set(rust_log, &[])
    }

    /// As `start`, with settings of the dispatcher: names and values of environment variables.
    pub fn start_set(rust_log: &'static str, settings: &'static [(&'static str, &'static str)]) -> Self {
        let home = tempfile::Builder::new().prefix("shunt-house-").tempdir().expect("a temporary directory");
        let address = format!("127.0.0.1:{}", free_port());
        let mut house = Self { home, address, shuntd: None, starts_before: 0, rust_log, settings };
        house.start_again();
        house
    }

    /// Other settings from the next start on.
    pub fn set(&mut self, settings: &'static [(&'static str, &'static str)]) {
        self.settings = settings;
    }

    /// Starts a dispatcher with these runners, each with so many slots, named as the hosts are.
    pub fn with(hosts: &[(&TestHost, u32)]) -> Self {
        let house = Self::start();
        for (host, slots) in hosts {
            house.enrol(host, *slots);
        }
        house
    }

    /// As `with`, with a `RUST_LOG` for the dispatcher.
    pub fn with_log(hosts: &[(&TestHost, u32)], rust_log: &'static str) -> Self {
        let house = Self::start_logging(rust_log);
        for (host, slots) in hosts {
            house.enrol(host, *slots);
        }
        house
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home().join("share/shuntyard")
    }

    /// Where the API listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The dispatcher's process id.
    pub fn pid(&self) -> u32 {
        self.shuntd.as_ref().expect("the dispatcher runs").id()
    }

    /// The admin token that the dispatcher has made.
    pub fn token(&self) -> String {
        fs::read_to_string(self.data_dir().join("admin.token")).expect("the admin token").trim().to_owned()
    }

    /// Everything that the dispatcher has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home().join("shuntd.log")).unwrap_or_default()
    }

    /// A command that starts a dispatcher on this house's data directory.
    pub fn shuntd_command(&self, listen: &str) -> Command {
        let mut command = command("shuntd", self.home());
        command.args(["serve", "--listen", listen]).env("RUST_LOG", self.rust_log);
        command.envs(self.settings.iter().copied());
        command
    }

    /// A figure of `/proc/PID/status` in KiB: `VmRSS`, or `VmHWM` for the highest that was.
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the dispatcher's status");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).expect("a figure");
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Posts a job as JSON; returns its id.
    pub fn post_job(&self, body: &Value) -> String {
        let posted = self.shunt(&["api", "post", "jobs", "-d", &body.to_string()]);
        assert_eq!(posted.code, 0, "{}", posted.stderr);
        let job: Value = serde_json::from_slice(&posted.stdout).expect("JSON");
        job["id"].as_str().expect("an id").to_owned()
    }

    /// Starts the dispatcher on the same data and port, and waits until it answers.
    pub fn start_again(&mut self) {
        self.launch();
        self.await_ready();
    }

    /// As `start_again`, without waiting.
    pub fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.home().join("shuntd.log")).expect("a log");
        self.starts_before = self.log().matches("ready address=").count();
        let mut command = self.shuntd_command(&self.address);
        self.shuntd = Some(command.stdout(Stdio::null()).stderr(log).spawn().expect("shuntd starts"));
    }

    /// Waits until the dispatcher that was launched answers.
    pub fn await_ready(&mut self) {
        let mut shuntd = self.shuntd.take().expect("the dispatcher was launched");
        let ready = || self.log().matches("ready address=").nth(self.starts_before).is_some();
        let mut ended = || shuntd.try_wait().expect("shuntd's state").is_some();
        await_that("the dispatcher is ready", || ready() || ended(), || self.log());
        assert!(ready(), "the dispatcher ended at once:\n{}", self.log());
        let log = self.log();
        let address = log.rsplit("ready address=").next().and_then(|rest| rest.split_whitespace().next());
        self.address = address.expect("an address").into();
        self.shuntd = Some(shuntd);
    }

    /// Ends the dispatcher as a crash does.
    pub fn kill(&mut self) {
        let mut shuntd = self.shuntd.take().expect("the dispatcher runs");
        shuntd.kill().expect("kill");
        shuntd.wait().expect("its end");
    }

    /// Asks the dispatcher to stop and waits for its end.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut shuntd = self.shuntd.take().expect("the dispatcher runs");
        signal(&shuntd, Signal::TERM);
        shuntd.wait().expect("its end")
    }

    /// Runs the bootstrap as the login user.
    pub fn enrol(&self, host: &TestHost, slots: u32) {
        self.enrol_with_password(host, slots, DEPLOY_PASSWORD);
    }

    pub fn enrol_with_password(&self, host: &TestHost, slots: u32, password: &str) {
        let (port, slots) = (host.port.to_string(), slots.to_string());
        let flags = ["--address", &host.address, "-p", &port, "-y", "--no-sudo", "--password-stdin", "--slots", &slots];
        let words = [&["ctl", "install-runner", &host.spec.hostname, "deploy"], &flags[..]].concat();
        let ran = self.begin_with_input(&words, format!("{password}\n").as_bytes()).end();
        assert_eq!(ran.code, 0, "the bootstrap failed: {}\n{}", ran.stderr, self.log());
    }

    /// Runs the bootstrap with root's rights: jobs run as `job_runner`.
    pub fn enrol_with_root(&self, host: &TestHost, slots: u32) {
        let (port, slots) = (host.port.to_string(), slots.to_string());
        let flags = ["--address", &host.address, "-p", &port, "-y", "--password-stdin", "--slots", &slots];
        let words = [&["ctl", "install-runner", &host.spec.hostname, "deploy"], &flags[..]].concat();
        let ran = self.begin_with_input(&words, format!("{DEPLOY_PASSWORD}\n").as_bytes()).end();
        assert_eq!(ran.code, 0, "the bootstrap failed: {}\n{}", ran.stderr, self.log());
    }

    /// `shunt` for this dispatcher, not started.
    pub fn shunt_command(&self) -> Command {
        let mut command = command("shunt", self.home());
        command.env("SHUNT_SERVER", format!("http://{}", self.address)).current_dir(self.home());
        command
    }

    /// Starts `shunt`, which finds the dispatcher's token by itself.
    pub fn begin(&self, words: &[&str]) -> Client {
        self.begin_with_input(words, b"")
    }

    pub fn begin_with_input(&self, words: &[&str], input: &[u8]) -> Client {
        let mut command = self.shunt_command();
        command.args(words);
        Client::start(command, input)
    }

    /// Runs `shunt` to its end.
    pub fn shunt(&self, words: &[&str]) -> Ran {
        self.begin(words).end()
    }

    /// Queues a shell script; returns the job's id. `flags` are those of `shunt run`.
    pub fn submit(&self, flags: &[&str], script: &str) -> String {
        let ran = self.shunt(&[&["run", "--detach"], flags, &["--", "sh", "-c", script]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.text().trim().to_owned()
    }

    /// Queues a script with these further keys of the body.
    pub fn submit_with(&self, script: &str, keys: &Value) -> String {
        let mut body = keys.clone();
        body["script"] = script.into();
        let ran = self.shunt(&["api", "post", "jobs", "-d", &body.to_string()]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let job: Value = serde_json::from_slice(&ran.stdout).expect("a job");
        job["id"].as_str().expect("its id").to_owned()
    }

    /// What the API answers.
    pub fn api(&self, path: &str) -> Value {
        let ran = self.shunt(&["api", "get", path]);
        assert_eq!(ran.code, 0, "GET {path}: {}", ran.stderr);
        serde_json::from_slice(&ran.stdout).expect("JSON")
    }

    pub fn job(&self, id: &str) -> Value {
        self.api(&format!("jobs/{id}"))
    }

    /// Waits until the job is in one of the states, and returns it.
    pub fn await_state(&self, id: &str, states: &[&str]) -> Value {
        let mut job = Value::Null;
        let mut reached = || {
            job = self.job(id);
            states.iter().any(|state| job["state"] == *state)
        };
        await_that(&format!("job {id} is {states:?}"), &mut reached, || format!("{}\n{}", self.job(id), self.log()));
        job
    }

    /// Waits until the job has ended, and returns it.
    pub fn await_end(&self, id: &str) -> Value {
        self.await_state(id, &["succeeded", "failed", "cancelled", "timed_out", "lost", "expired", "abandoned"])
    }

    /// Waits until the runner's contact has this word.
    pub fn await_contact(&self, host: &TestHost, status: &str) {
        let runner = || self.api(&format!("runners/{}", host.spec.hostname));
        await_that(
            &format!("{} is {status}", host.spec.hostname),
            || runner()["contact"]["status"] == status,
            || runner()["contact"].to_string(),
        );
    }

    /// Waits until the host has forgotten every attempt: spools and work directories.
    pub fn await_empty_spool(&self, host: &TestHost) {
        let runner = self.api(&format!("runners/{}", host.spec.hostname));
        let base = runner["base_dir"].as_str().expect("a base directory").to_owned();
        let left = || host.run_inside(&format!("cd {base} && ls -A j w | grep -v -e : -e '^$' || :"));
        await_that("spool and work directory are removed", || left().is_empty(), left);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut shuntd) = self.shuntd.take() {
            let _ = shuntd.kill();
            let _ = shuntd.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- shuntd:\n{}---", self.log());
        }
    }
}

/// A file that jobs write in the home directory of `deploy`: what really happened on the host.
pub fn truth(host: &TestHost, name: &str) -> String {
    fs::read_to_string(host.path(&format!("home/deploy/{name}"))).unwrap_or_default()
}

/// The processes that a job named in `~/pids` and that are not dead or zombies; a line of `/proc` for each.
pub fn living(host: &TestHost) -> String {
    let pids = truth(host, "pids");
    assert!(!pids.is_empty(), "the job has named no process");
    let pids = pids.split_whitespace().collect::<Vec<_>>().join(" ");
    host.run_inside(&format!(
        "for p in {pids}; do grep -HE '^State:' /proc/$p/status 2>/dev/null | grep -v 'Z (' || :; done"
    ))
}

/// Waits until the truth file holds `text`.
pub fn await_truth(host: &TestHost, name: &str, text: &str) {
    await_that(&format!("{name} holds {text:?}"), || truth(host, name).contains(text), || truth(host, name));
}
