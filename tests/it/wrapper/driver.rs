//! Speaks to the wrapper as the dispatcher does through sshd: a process per channel, its stdio piped.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::wire::control::{Control, ResultRecord, after_marker, parse_control};
use shuntyard_domain::wire::frame::{Frame, Nonce, Verb, Word, command_line};
use shuntyard_domain::wrapper::WRAPPER;

/// A POSIX shell, the package that brings it, and what the bootstrap would find out about its host.
pub struct Shell {
    pub argv: &'static [&'static str],
    package: &'static str,
    header: &'static str,
    applets: bool,
}

pub const SHELLS: [Shell; 4] = [
    Shell { argv: &["dash"], package: "dash", header: "", applets: false },
    Shell { argv: &["busybox", "sh"], package: "busybox", header: "shunt_tail=poll", applets: true },
    Shell { argv: &["bash", "--posix"], package: "bash", header: "", applets: false },
    Shell { argv: &["mksh"], package: "mksh", header: "", applets: false },
];

/// Runs a check under every shell, each on a host of its own.
pub fn under_every_shell(check: impl Fn(&Host)) {
    for shell in &SHELLS {
        check(&Host::new(shell));
    }
}

/// A base directory with the wrapper in it.
pub struct Host {
    pub dir: tempfile::TempDir,
    pub shell: &'static Shell,
    pub path: String,
}

pub fn id(number: u128) -> AttemptId {
    AttemptId { job: JobId(uuid::Uuid::from_u128(number)), attempt: 1 }
}

pub fn nonce() -> Nonce {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Nonce::from_random(bytes)
}

impl Host {
    pub fn new(shell: &'static Shell) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned();
        if shell.applets {
            // Every program of the host is busybox, as on Alpine.
            let applets = dir.path().join("applets");
            std::fs::create_dir(&applets).unwrap();
            run(Command::new("busybox").args(["--install", "-s"]).arg(&applets));
            path = format!("{}:{path}", applets.display());
        }
        let host = Self { dir, shell, path };
        host.install(&host.base());
        host
    }

    /// Makes a base directory at `base` as the bootstrap would.
    pub fn install(&self, base: &Path) {
        for name in ["c", "j", "w"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(base.join("instance"), "0123456789abcdef\n").unwrap();
        std::fs::write(base.join("wrapper-1"), format!("{}\n{WRAPPER}", self.shell.header)).unwrap();
    }

    pub fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    pub fn spool(&self, id: AttemptId) -> PathBuf {
        self.base().join("j").join(id.to_string())
    }

    pub fn work(&self, id: AttemptId) -> PathBuf {
        self.base().join("w").join(id.to_string())
    }

    /// A command of this host's shell with a login's environment.
    pub fn shell_command(&self) -> Command {
        let (program, arguments) = self.shell.argv.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", &self.path).env("HOME", self.dir.path());
        command.env("USER", "me").env("SSH_CONNECTION", "1.2.3.4").env("LEAK", "from the login");
        command
    }

    /// Opens a channel: the words of `command_line`, read by this host's shell instead of /bin/sh.
    pub fn open(&self, verb: &Verb<'_>, nonce: &Nonce) -> Channel {
        self.open_in(&self.base(), verb, nonce)
    }

    pub fn open_in(&self, base: &Path, verb: &Verb<'_>, nonce: &Nonce) -> Channel {
        let line = command_line(base.join("wrapper-1").to_str().unwrap(), verb).unwrap();
        let mut command = self.shell_command();
        command.args(line.split(' ').skip(2));
        Channel::start(command, nonce.clone(), self.shell)
    }

    pub fn run_with(&self, id: AttemptId, spec: &JobSpec, env: &[(&str, &str)]) -> Channel {
        let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let nonce = nonce();
        let mut channel = self.open(&Verb::Run { id, nonce: &nonce, offset: 0 }, &nonce);
        channel.send(&Frame { spec, env: &env }.encode().unwrap());
        channel
    }

    pub fn run(&self, id: AttemptId, script: &str) -> Channel {
        self.run_with(id, &spec(script), &[])
    }

    pub fn at(&self, id: AttemptId, offset: u64) -> Channel {
        let nonce = nonce();
        self.open(&Verb::At { id, nonce: &nonce, offset }, &nonce)
    }

    /// Asks a verb without a stream and returns its control lines.
    pub fn ask(&self, verb: impl FnOnce(&Nonce) -> Verb<'_>) -> Vec<Control> {
        let nonce = nonce();
        let mut channel = self.open(&verb(&nonce), &nonce);
        channel.close();
        channel.wait_closed();
        channel.controls()
    }
}

/// A job with a short grace.
pub fn spec(script: &str) -> JobSpec {
    JobSpec { stop_grace_s: 1, ..JobSpec::shell(script) }
}

/// One exec channel.
pub struct Channel {
    pub child: Child,
    pub nonce: Nonce,
    shell: &'static str,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
}

impl Channel {
    pub fn start(mut command: Command, nonce: Nonce, shell: &'static Shell) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}; install {}", shell.argv[0], shell.package));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), child, nonce, shell: shell.argv[0], stdout, stderr }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A wrapper that has refused reads no further.
        let _ = self.stdin.as_mut().unwrap().write_all(bytes);
    }

    pub fn word(&mut self, word: Word) {
        self.send(&word.to_bytes());
    }

    /// The end of stdin: the channel closed or the link died.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// The job's bytes so far.
    pub fn output(&self) -> Vec<u8> {
        let bytes = self.stdout.bytes.lock().unwrap();
        after_marker(&self.nonce, &bytes).map(|at| bytes[at..].to_vec()).unwrap_or_default()
    }

    /// Everything on standard output, noise included.
    pub fn raw_output(&self) -> Vec<u8> {
        self.stdout.bytes.lock().unwrap().clone()
    }

    pub fn controls(&self) -> Vec<Control> {
        let stderr = self.stderr.bytes.lock().unwrap().clone();
        let lines = stderr.split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n"));
        lines.filter_map(|line| parse_control(&self.nonce, line).unwrap()).collect()
    }

    pub fn wait(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let state = || {
            let (stdout, stderr) = (self.stdout.bytes.lock().unwrap(), self.stderr.bytes.lock().unwrap());
            let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            format!("{}: stdout {} bytes {:.300}, stderr {err:.900}", self.shell, stdout.len(), out)
        };
        wait_until(what, || done(self), state);
    }

    pub fn wait_control(&self, what: &str, wanted: impl Fn(&Control) -> bool) -> Control {
        self.wait(what, |c| c.controls().iter().any(&wanted));
        self.controls().into_iter().find(|c| wanted(c)).unwrap()
    }

    pub fn wait_ok(&self) -> u32 {
        let Control::Ok { pid } = self.wait_control("ok", |c| matches!(c, Control::Ok { .. })) else { unreachable!() };
        pid
    }

    /// Waits for the result and for the output up to it, from `offset` on.
    pub fn wait_end(&self, offset: u64) -> ResultRecord {
        let Control::End(end) = self.wait_control("end", |c| matches!(c, Control::End(_))) else { unreachable!() };
        self.wait("all output", |c| offset + c.output().len() as u64 >= end.size);
        assert_eq!(offset + self.output().len() as u64, end.size);
        end
    }

    pub fn wait_exit(&mut self) {
        let shell = self.shell;
        wait_until("the channel's process ends", || self.child.try_wait().unwrap().is_some(), || shell.to_owned());
    }

    /// Waits until nobody can write on this channel any more, as sshd does before it closes it.
    pub fn wait_closed(&mut self) {
        self.wait_exit();
        self.wait("both streams end", |c| c.stdout.reader.is_finished() && c.stderr.reader.is_finished());
    }

    /// Waits for the end, acknowledges it and returns result and output.
    pub fn finish(mut self) -> (ResultRecord, String) {
        let end = self.wait_end(0);
        let output = String::from_utf8_lossy(&self.output()).into_owned();
        self.word(Word::Ack { remove: true });
        self.wait_closed();
        (end, output)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came so far, and whether more may come.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

fn collect(mut from: impl Read + Send + 'static) -> Stream {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
    });
    Stream { bytes, reader }
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool, state: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come: {}", state());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tells whether a process runs; a zombie does not.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Runs a program that has to succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
