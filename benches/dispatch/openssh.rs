//! The other side: OpenSSH's client over a warm ControlMaster connection.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::sshd::TestHost;

/// A connection that `ssh -S` clients share.
pub struct Master {
    dir: TempDir,
    port: String,
}

impl Master {
    /// Connects and waits until clients can use the connection. `key` is an OpenSSH private key that opens `deploy`.
    pub fn connect(host: &TestHost, key: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("shunt-bench-ssh-").tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
        write("key", key);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(dir.path().join("key"), mode).expect("chmod");
        let known = |line: &String| format!("[{}]:{} {line}\n", host.address, host.port);
        write("known_hosts", &host.host_keys.iter().map(known).collect::<String>());
        let master = Self { dir, port: host.port.to_string() };
        // Ends when the connection is up and the master has gone into the background.
        let status = master.ssh(&["-M", "-N", "-f"], "").status().expect("ssh");
        assert!(status.success(), "the ControlMaster does not connect: {status}");
        master
    }

    fn ssh(&self, options: &[&str], command: &str) -> Command {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-S", &path("ctl"), "-i", &path("key"), "-p", &self.port]);
        ssh.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"]);
        ssh.args(["-o", &format!("UserKnownHostsFile={}", path("known_hosts"))]);
        ssh.args(options).arg("deploy@127.0.0.1").args((!command.is_empty()).then_some(command));
        ssh.stdin(Stdio::null()).stdout(Stdio::null());
        ssh
    }

    /// Runs `command` to its end, its output to `/dev/null` or into a file.
    pub fn run(&self, command: &str, output: Option<&Path>) {
        let mut ssh = self.ssh(&[], command);
        if let Some(path) = output {
            ssh.stdout(std::fs::File::create(path).expect("a file"));
        }
        let status = ssh.status().expect("ssh");
        assert!(status.success(), "`{command}` over the ControlMaster: {status}");
    }

    /// Runs `command` with the tar of a directory on its standard input.
    pub fn feed(&self, dir: &Path, command: &str) {
        let mut tar = Command::new("tar");
        let mut tar = tar.arg("-cf").arg("-").arg("-C").arg(dir).arg(".").stdout(Stdio::piped()).spawn().expect("tar");
        let packed = tar.stdout.take().expect("a pipe");
        let status = self.ssh(&[], command).stdin(packed).status().expect("ssh");
        assert!(status.success(), "`{command}` over the ControlMaster: {status}");
        assert!(tar.wait().expect("tar").success());
    }

    /// Starts `command` with its output on a pipe.
    pub fn pipe(&self, command: &str) -> Child {
        self.ssh(&[], command).stdout(Stdio::piped()).spawn().expect("ssh")
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // Ends the process that `connect` left in the background.
        let _ = self.ssh(&["-O", "exit"], "").stderr(Stdio::null()).status();
    }
}
