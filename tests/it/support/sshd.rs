//! Hosts for the tests: Debian's own sshd, each in namespaces of its own.
//!
//! A host has its own process table, host name, /etc, /home, /root, /run, /tmp and the like, and shares /usr and the
//! loopback network with the machine, unless it asks for a network of its own (`network`). What a bootstrap does to it (users, sudoers, keys) is gone with it. The
//! machine's own sshd and port 22 are never touched.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shuntyard::ssh::{Dial, HostKeyPolicy, RunnerKey};
use tempfile::TempDir;

mod layout;
mod machine;
mod network;

pub use network::Fault;

use layout::{append_authorized_key, authorize_new_key, host_key_lines, lay_out};
use machine::{boot, inside, spawn};
use network::Cable;

/// Passwords of the hosts' users.
pub const DEPLOY_PASSWORD: &str = "deploy-Tr0ub4dor";
pub const CAROL_PASSWORD: &str = "carol-Tr0ub4dor";
pub const BOB_PASSWORD: &str = "bob-Tr0ub4dor";

pub const UBUNTU_2204: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n\
    PRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\nVERSION_CODENAME=jammy\n";
pub const CENTOS_7: &str = "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n\
    VERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n";
pub const DEBIAN_12: &str = "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n\
    PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";

/// Login shells of the users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginShell {
    Sh,
    /// bash whose .bashrc prints on both streams, without a newline at the end.
    NoisyBash,
    Fish,
}

/// What a host is like. `Default` is a Debian 12 with /bin/sh.
#[derive(Clone, Debug)]
pub struct HostSpec {
    pub hostname: String,
    pub os_release: &'static str,
    pub shell: LoginShell,
    pub max_sessions: u32,
    /// Types of its host keys, in the order of sshd's configuration.
    pub host_key_types: Vec<&'static str>,
    /// Further lines of sshd_config.
    pub sshd_lines: Vec<String>,
    /// A network of its own behind a cable that can be cut, instead of the machine's loopback.
    pub own_network: bool,
    /// The network of another host, by `TestHost::network`: its loopback is reached from there only.
    pub network_of: Option<u32>,
    /// Directories of the machine that the host has, read-only, in the home of `deploy`; with the names that they have there.
    pub lent: Vec<(PathBuf, &'static str)>,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            hostname: "testhost".to_owned(),
            os_release: DEBIAN_12,
            shell: LoginShell::Sh,
            max_sessions: 10,
            host_key_types: vec!["ed25519", "rsa", "ecdsa"],
            sshd_lines: Vec::new(),
            own_network: false,
            network_of: None,
            lent: Vec::new(),
        }
    }
}

/// A running host. Its users: `deploy` (password, key, sudo without password), `carol` (password, sudo with it),
/// `bob` (password, no sudo). Everything in it ends when it is dropped.
pub struct TestHost {
    pub spec: HostSpec,
    pub address: String,
    pub port: u16,
    /// `ALGORITHM BASE64` lines.
    pub host_keys: Vec<String>,
    /// Opens `deploy`.
    pub client_key: Arc<RunnerKey>,
    root: TempDir,
    _template: Arc<TempDir>,
    /// `unshare`: its end is the end of every process in the host.
    machine: Child,
    sshd: Mutex<Option<Child>>,
    cable: Option<Cable>,
}

const START_LIMIT: Duration = Duration::from_secs(20);

impl TestHost {
    /// Starts a host and waits until its sshd listens.
    ///
    /// # Panics
    /// When the tests do not run as root, or a program of openssh-server, util-linux or passwd is missing.
    pub fn start(spec: HostSpec) -> Self {
        require_root();
        let root = tempfile::Builder::new().prefix("shunt-host-").tempdir().expect("a temporary directory");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let template = layout::template();
        lay_out(root.path(), template.path(), &spec);
        let machine = boot(root.path(), &spec);
        let cable = spec.own_network.then(|| Cable::lay(machine.id()));
        let host_keys = host_key_lines(root.path(), &spec);
        let client_key = authorize_new_key(root.path());
        let mut host = Self {
            spec,
            address: cable.as_ref().map_or("127.0.0.1", |cable| cable.address.as_str()).to_owned(),
            port: 0,
            host_keys,
            client_key,
            root,
            _template: template,
            machine,
            sshd: Mutex::new(None),
            cable,
        };
        // Another process may take the free port first; then sshd ends and the next port is tried.
        for _ in 0..5 {
            host.port = free_port();
            if host.start_sshd() {
                return host;
            }
        }
        panic!("sshd does not start:\n{}", host.log());
    }

    /// The host's login for `user`.
    pub fn dial(&self, user: &str) -> Dial {
        Dial::direct(self.address.clone(), self.port, user.to_owned())
    }

    /// For `HostSpec::network_of`.
    pub fn network(&self) -> u32 {
        self.machine.id()
    }

    /// Trust in exactly this host's keys.
    pub fn pinned(&self) -> HostKeyPolicy {
        HostKeyPolicy::Pinned(self.host_keys.clone())
    }

    /// A path inside the host as the test sees it; only for the host's own directories (/etc, /home, /var/lib …).
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join("fs").join(inside.trim_start_matches('/'))
    }

    /// Runs a shell script inside the host as root, without SSH.
    pub fn exec_inside(&self, script: &str) -> Output {
        let mut command = self.inside();
        command.args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        spawn(command).wait_with_output().expect("nsenter")
    }

    /// As `exec_inside`, for scripts that must succeed; returns standard output without the last newline.
    pub fn run_inside(&self, script: &str) -> String {
        let output = self.exec_inside(script);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`{script}` failed in the host: {}\n{out}{err}", output.status);
        out.trim_end_matches('\n').to_owned()
    }

    /// Lets `public_line` open `user`.
    pub fn authorize(&self, user: &str, public_line: &str) {
        append_authorized_key(&self.path(&format!("home/{user}/.ssh/authorized_keys")), public_line);
    }

    /// Lets `public_line` open root.
    pub fn authorize_root(&self, public_line: &str) {
        self.run_inside("mkdir -p -m 700 ~root/.ssh");
        append_authorized_key(&self.path("root/.ssh/authorized_keys"), public_line);
    }

    /// Everything that sshd has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.path().join("sshd.log")).unwrap_or_default()
    }

    /// Kills sshd and every connection; the rest of the host (jobs, files) stays.
    pub fn kill_sshd(&self) {
        // A process that was sent the signal listens until it is next scheduled.
        let gone = "n=0; pkill -KILL -x sshd; while pgrep -x sshd >/dev/null && [ $n -lt 2000 ]; do n=$((n + 1)); sleep 0.01; done";
        self.exec_inside(gone);
        if let Some(mut sshd) = self.sshd_slot().take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }

    /// Starts sshd again on the same port.
    pub fn restart(&self) {
        self.kill_sshd();
        assert!(self.start_sshd(), "sshd does not start again:\n{}", self.log());
    }

    /// Lets the host's cable fail until `mend_cable`; the host has a network of its own.
    pub fn fail_cable(&self, fault: Fault) {
        self.cable().fail(fault);
    }

    pub fn mend_cable(&self) {
        self.cable().mend();
    }

    /// Resets every connection to sshd; both ends see it at once.
    pub fn abort_connections(&self) {
        self.cable().abort_connections(self.port);
    }

    fn cable(&self) -> &Cable {
        self.cable.as_ref().expect("a host with `own_network`")
    }

    /// Ends the host with everything in it, as a power cut does.
    pub fn stop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
        if let Some(mut sshd) = self.sshd_slot().take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }

    fn sshd_slot(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.sshd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inside(&self) -> Command {
        let own = self.spec.own_network.then(|| self.machine.id());
        inside(self.machine.id(), own.or(self.spec.network_of))
    }

    fn start_sshd(&self) -> bool {
        let log = File::options().create(true).append(true).open(self.root.path().join("sshd.log")).expect("a log");
        let listening = format!("Server listening on {} port {}.", self.address, self.port);
        // Counted before the start: a quick sshd has written its line before this thread runs again.
        let before = self.log().matches(&listening).count();
        let mut command = self.inside();
        let listen = format!("ListenAddress={}", self.address);
        command.args(["/usr/sbin/sshd", "-D", "-e", "-p", &self.port.to_string(), "-o", &listen]);
        let mut sshd = spawn({
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            command
        });
        let until = Instant::now() + START_LIMIT;
        let mut up = false;
        while !up && Instant::now() < until && sshd.try_wait().expect("sshd's state").is_none() {
            std::thread::sleep(Duration::from_millis(5));
            up = self.log().matches(&listening).count() > before;
        }
        if up {
            *self.sshd_slot() = Some(sshd);
        } else {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        up
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- sshd of {} (port {}):\n{}---", self.spec.hostname, self.port, self.log());
        }
    }
}

/// A port that nothing listens on, out of the range of outgoing connections (32768 and up): one of those would take
/// it between two starts of a server.
pub fn free_port() -> u16 {
    loop {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).expect("random bytes");
        let port = 10_000 + u16::from_ne_bytes(bytes) % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits for a condition, and says what was waited for when it does not come.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn require_root() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(2) == Some("0"));
    assert!(is_root, "the SSH tests start sshd in namespaces of its own and need root: run them as root");
}
