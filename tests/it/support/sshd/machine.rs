//! The namespaces of a host, and processes in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::layout::OWN_DIRS;
use super::{HostSpec, START_LIMIT};

/// A thread that starts all processes: `--pdeathsig` acts when the *thread* that started them ends, and a test's
/// thread ends before the test binary.
pub(super) fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, started) = mpsc::channel();
    let name = format!("{command:?}");
    STARTER.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).expect("the starter runs");
    started.recv().expect("an answer").unwrap_or_else(|e| panic!("{name} does not start: {e}"))
}

fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

pub(super) fn inside(machine: u32, network_of: Option<u32>) -> Command {
    let mut command = tied("nsenter");
    command.arg(format!("--mount=/proc/{machine}/ns/mnt"));
    command.arg(format!("--uts=/proc/{machine}/ns/uts"));
    command.arg(format!("--pid=/proc/{machine}/ns/pid_for_children"));
    if let Some(network_of) = network_of {
        command.arg(format!("--net=/proc/{network_of}/ns/net"));
    }
    command.arg("--");
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Shell text that mounts the machine's directories in the home of `deploy`.
fn lend(spec: &HostSpec) -> String {
    let mount = |(from, name): &(PathBuf, &str)| {
        let at = format!("/home/deploy/{name}");
        format!("mkdir {at}; mount -o bind,ro {} {at}\n", from.display())
    };
    spec.lent.iter().map(mount).collect()
}

/// Starts the host's first process, which mounts its directories, adopts orphans and waits.
pub(super) fn boot(root: &Path, spec: &HostSpec) -> Child {
    let fs_dir = root.join("fs");
    let mut script = format!("set -e; hostname {}\n", spec.hostname);
    for (dir, _) in OWN_DIRS {
        script += &format!("mount --bind {}/{dir} /{dir}\n", fs_dir.display());
        if dir == "home" {
            // What is lent may lie in /root, which is hidden next.
            script += &lend(spec);
        }
    }
    // `wait` reaps orphans as they end, as a machine's init does.
    script += "exec </dev/null >/dev/null 2>&1; echo up >/run/up; while :; do sleep 1000000 & wait; done\n";
    let mut command = tied("unshare");
    command.args(["--mount", "--propagation", "private", "--uts", "--pid", "--fork", "--mount-proc"]);
    if spec.own_network {
        command.arg("--net");
    }
    command.args(["--kill-child=KILL", "sh", "-c", &script]);
    let errors = File::create(root.join("boot.log")).expect("a log");
    let mut machine = spawn({
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        command
    });
    let until = Instant::now() + START_LIMIT;
    while !fs_dir.join("run/up").exists() {
        let ended = machine.try_wait().expect("the host's state");
        let said = || fs::read_to_string(root.join("boot.log")).unwrap_or_default();
        assert!(ended.is_none(), "the host does not start ({ended:?}): {}", said());
        assert!(Instant::now() < until, "the host does not start in time: {}", said());
        std::thread::sleep(Duration::from_millis(2));
    }
    machine
}
