//! Demo hosts as the OpenSSH client and a russh client see them.

mod flow;
mod login;
mod openssh;
mod processes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use russh::keys::{Algorithm, PrivateKey, PublicKeyOrCertificate};
use tempfile::TempDir;
use tokio::process::Command;

use super::{DemoHost, HostSpec, three_hosts};
use crate::shutdown::Tasks;

/// Longer than anything here takes; a hang fails instead of lasting.
const PATIENCE: Duration = Duration::from_secs(60);

/// One running host with a key that may log in.
struct Lab {
    dir: TempDir,
    tasks: Tasks,
    host: DemoHost,
}

impl Lab {
    /// The CentOS host, its key listed with `options` in front.
    async fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tasks = Tasks::new();
        let spec: HostSpec = three_hosts().unwrap().remove(1);
        let host = DemoHost::start(spec, &dir.path().join("host"), &tasks).await.unwrap();
        let lab = Self { dir, tasks, host };
        let line = lab.make_key("id").await;
        lab.authorize(&format!("{options}{line}"));
        lab
    }

    fn authorize(&self, line: &str) {
        let ssh_dir = self.host.home().join(".ssh");
        fs::create_dir_all(&ssh_dir).unwrap();
        fs::write(ssh_dir.join("authorized_keys"), line).unwrap();
    }

    /// Makes a key pair with ssh-keygen; the answer is its public line.
    async fn make_key(&self, name: &str) -> String {
        let path = self.path(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "demo test", "-f"]).arg(&path);
        assert!(keygen.status().await.unwrap().success());
        fs::read_to_string(path.with_extension("pub")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `ssh` with our key and nothing of the user's own configuration.
    fn ssh(&self, args: &[&str]) -> Command {
        self.ssh_with(&self.path("id"), args)
    }

    fn ssh_with(&self, key: &Path, args: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]).arg(key);
        ssh.args(["-p", &self.host.port().to_string(), "-l", &self.host.spec().user]);
        ssh.args(args).stdin(std::process::Stdio::null()).kill_on_drop(true);
        ssh
    }

    async fn run(&self, command: &str) -> Output {
        output(self.ssh(&["127.0.0.1", command])).await
    }

    /// A russh connection that has logged in with the password.
    async fn client(&self) -> client::Handle<AnyHostKey> {
        let mut client = self.connect().await;
        let spec = self.host.spec();
        let answer = client.authenticate_password(spec.user.clone(), spec.password.to_string()).await.unwrap();
        assert!(answer.success());
        client
    }

    async fn connect(&self) -> client::Handle<AnyHostKey> {
        let config = client::Config { nodelay: true, window_size: 8 << 20, ..client::Config::default() };
        client::connect(Arc::new(config), ("127.0.0.1", self.host.port()), AnyHostKey).await.unwrap()
    }

    async fn stop(self) {
        self.host.stop().await;
        assert!(self.tasks.stop(PATIENCE).await);
    }
}

struct AnyHostKey;

impl client::Handler for AnyHostKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn output(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("ssh hangs").unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn other_key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

/// Asks again until `condition` holds.
async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
