//! The real programs: `shuntd serve` on a directory of its own, and `shunt` pointed at it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::sshd::{spawn, tied};

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// A `shunt` that runs longer is ended, and the test fails.
const COMMAND_LIMIT_S: &str = "60";
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A daemon with a data directory of its own. It is killed when it is dropped; its jobs are not its children.
pub struct TestDaemon {
    /// Home directory of the daemon and of `shunt`: the data directory lies where both look by default.
    home: TempDir,
    running: Mutex<Option<Child>>,
    /// `127.0.0.1:PORT`: chosen by the first start, kept by later ones.
    address: Mutex<String>,
    flags: Vec<String>,
}

/// How a program ended, and all that it wrote.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The program itself, when it ended with `code`.
    ///
    /// # Panics
    /// With both streams when it ended otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; the streams were:\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error holds each of `parts`.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "standard error does not say {part:?}:\n{}", self.stderr);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }
}

impl TestDaemon {
    /// Starts a daemon and waits until it accepts requests.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As `start`, with further flags of `shuntd serve`, which later starts keep.
    pub fn start_with(flags: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("shunt-daemon-").tempdir().expect("a temporary directory");
        let daemon = Self {
            home,
            running: Mutex::new(None),
            address: Mutex::new("127.0.0.1:0".to_owned()),
            flags: flags.iter().map(ToString::to_string).collect(),
        };
        daemon.start_again();
        daemon
    }

    /// Starts the daemon on the same directory and the same address.
    ///
    /// # Panics
    /// When one runs already, or it does not become ready.
    pub fn start_again(&self) {
        let mut running = lock(&self.running);
        assert!(running.is_none(), "the daemon runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let before = self.log().len();
        let mut command = tied(env!("CARGO_BIN_EXE_shuntd"));
        command.env_clear().env("HOME", self.home.path()).env("PATH", SEARCH_PATH);
        command.args(["serve", "--log-format", "json", "--listen", lock(&self.address).as_str(), "--data-dir"]);
        command.arg(self.data_dir()).args(&self.flags);
        let mut child = spawn({
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            command
        });
        let until = Instant::now() + START_LIMIT;
        let address = loop {
            if let Some(address) = ready_address(&self.log()[before..]) {
                break address;
            }
            let ended = child.try_wait().expect("the daemon's state");
            assert!(ended.is_none() && Instant::now() < until, "no start ({ended:?}):\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        };
        *lock(&self.address) = address;
        *running = Some(child);
    }

    /// Asks the daemon to stop (SIGTERM) and waits for its end.
    ///
    /// # Panics
    /// When it does not end in time, or not with success.
    pub fn stop(&self) {
        let mut child = lock(&self.running).take().expect("a running daemon");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("SIGTERM");
        let until = Instant::now() + STOP_LIMIT;
        let ended = loop {
            if let Some(ended) = child.try_wait().expect("the daemon's state") {
                break ended;
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the daemon does not stop:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(ended.success(), "the daemon ended with {ended}:\n{}", self.log());
    }

    /// Kills the daemon (SIGKILL), as a crash does.
    pub fn kill(&self) {
        if let Some(mut child) = lock(&self.running).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Process id of the running daemon.
    pub fn pid(&self) -> u32 {
        lock(&self.running).as_ref().expect("a running daemon").id()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        lock(&self.address).clone()
    }

    pub fn server(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Home directory of `shunt`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join(".local/share/shuntyard")
    }

    pub fn token_file(&self) -> PathBuf {
        self.data_dir().join("admin.token")
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.token_file()).expect("the admin token").trim().to_owned()
    }

    /// Everything that the daemon has logged, over all its starts; one JSON object a line.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("shuntd.log")
    }

    /// `shunt ARGS` for this daemon with nothing of the user's environment; not started, no standard input.
    pub fn shunt_command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.for_daemon(Command::new(shunt_path()), args)
    }

    /// Runs `shunt ARGS` to its end.
    pub fn shunt<S: AsRef<OsStr>>(&self, args: &[S]) -> Ended {
        ended(self.limited(args), b"")
    }

    /// As `shunt`, with standard input.
    pub fn shunt_with_input<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Ended {
        ended(self.limited(args), input)
    }

    fn limited<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", COMMAND_LIMIT_S]).arg(shunt_path());
        self.for_daemon(command, args)
    }

    fn for_daemon<S: AsRef<OsStr>>(&self, mut command: Command, args: &[S]) -> Command {
        command.args(args).env_clear().env("PATH", SEARCH_PATH).env("HOME", self.home.path());
        command.env("SHUNT_SERVER", self.server()).env("SHUNT_TOKEN_FILE", self.token_file()).stdin(Stdio::null());
        command
    }

    /// Writes a file that only its owner reads into the home directory.
    pub fn write_private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        path
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon:\n{}---", self.log());
        }
    }
}

/// Runs a program to its end with `input`.
pub fn ended(mut command: Command, input: &[u8]) -> Ended {
    let name = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{name} does not start: {e}"));
    let mut stdin = child.stdin.take().expect("standard input");
    // A program that ended before it read everything is no fault of the test's.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("the program's output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let code = output.status.code().unwrap_or_else(|| panic!("{name} was ended by {}:\n{stderr}", output.status));
    Ended { code, stdout, stderr }
}

/// Where the command line was built: beside the daemon.
pub fn shunt_path() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_shuntd")).with_file_name("shunt");
    assert!(path.exists(), "{} is missing; build it with `cargo build --workspace --bins`", path.display());
    path
}

fn ready_address(log: &str) -> Option<String> {
    // The last line may be half written.
    let line = log.split_inclusive('\n').filter(|line| line.ends_with('\n')).find(|line| line.contains("\"ready\""))?;
    let event: Value = serde_json::from_str(line).ok()?;
    Some(event["address"].as_str()?.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
