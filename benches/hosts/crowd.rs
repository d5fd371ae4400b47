//! The hosts: embedded ones in a process of their own, which ends with ours.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use shuntyard::demo::{AtStop, DemoHost, HostSpec, random_text};
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{Dial, RunnerKey, Target, generate_runner_key, load_private_key};
use shuntyard_domain::ids::RunnerId;
use tempfile::TempDir;
use uuid::Uuid;
use zeroize::Zeroizing;

const COUNT: &str = "SHUNT_BENCH_HOSTS";
const DIRECTORY: &str = "SHUNT_BENCH_DIRECTORY";
const PUBLIC_KEY: &str = "SHUNT_BENCH_PUBLIC_KEY";
pub const USER: &str = "bench";

/// What the process of the hosts is to do.
pub struct Asked {
    count: usize,
    directory: PathBuf,
    public_key: String,
}

/// `Some` in the process of the hosts.
pub fn asked() -> Option<Asked> {
    let value = |name| std::env::var(name).ok();
    let count = value(COUNT)?.parse().expect("a number of hosts");
    Some(Asked { count, directory: value(DIRECTORY)?.into(), public_key: value(PUBLIC_KEY)? })
}

/// Runs the hosts until standard input ends; prints `PORT HOST-KEY` for each.
pub async fn serve(asked: Asked) {
    let tasks = Tasks::new();
    let mut hosts = Vec::new();
    for n in 0..asked.count {
        let root = asked.directory.join(format!("h{n}"));
        fs::create_dir_all(root.join("home/.ssh")).expect("a home");
        fs::write(root.join("home/.ssh/authorized_keys"), &asked.public_key).expect("its keys");
        let spec = HostSpec {
            name: format!("h{n}"),
            platform: None,
            user: USER.to_owned(),
            password: random_text().expect("random bytes"),
            path: None,
            at_stop: AtStop::LeaveAlone,
            slots_hint: 1,
            port: 0,
        };
        let host = DemoHost::start(spec, &root, &tasks).await.expect("a host");
        println!("{} {}", host.port(), host.host_key_line());
        hosts.push(host);
    }
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    end.await.expect("a reader").expect("standard input");
    std::process::exit(0);
}

/// The hosts as the dispatcher's side sees them.
pub struct Crowd {
    process: Child,
    /// Of every host.
    pub private_key: Zeroizing<String>,
    pub public_key: String,
    pub targets: Vec<Target>,
    _directory: TempDir,
}

impl Crowd {
    pub fn start(count: usize) -> Self {
        let directory = tempfile::Builder::new().prefix("shunt-bench-hosts-").tempdir().expect("a directory");
        let (private_key, public_key) = generate_runner_key("bench").expect("a key");
        let mut command = Command::new(std::env::current_exe().expect("our own program"));
        command.env(COUNT, count.to_string()).env(DIRECTORY, directory.path()).env(PUBLIC_KEY, &public_key);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the process of the hosts");
        let key = Arc::new(load_private_key(&private_key, None).expect("the key"));
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let targets: Vec<Target> = lines.take(count).map(|line| target(&line.expect("a line"), &key)).collect();
        assert_eq!(targets.len(), count, "the process of the hosts has ended");
        Self { process, private_key, public_key, targets, _directory: directory }
    }

    /// The process of the hosts.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn target(line: &str, key: &Arc<RunnerKey>) -> Target {
    let (port, host_key) = line.split_once(' ').expect("a port and a key");
    let port = port.parse().expect("a port");
    Target {
        runner: RunnerId(Uuid::now_v7()),
        dial: Dial::direct("127.0.0.1".to_owned(), port, USER.to_owned()),
        host_keys: vec![host_key.to_owned()],
        key: Arc::clone(key),
    }
}
