//! Connections through a tunnel that the host has opened: they do not wait for each other.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shuntyard::clock::Clock;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::inbound::{DIAL_OUT_USER, Inbound, Tunnels, dial_out_key};
use shuntyard::ssh::{ConnectError, Credential, Dial, Session, Settings, generate_runner_key};
use shuntyard_domain::ids::RunnerId;
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use super::{PATIENCE, limits};
use crate::support::sshd::{HostSpec, TestHost};

const RUNNER: RunnerId = RunnerId(Uuid::from_u128(7));

/// OpenSSH's client, which ends with the test.
struct Dialling(Child, #[expect(dead_code, reason = "removed when it is dropped")] TempDir);

impl Drop for Dialling {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn dial_out(host: &TestHost, tunnels: &Tunnels, tasks: &Tasks) -> Dialling {
    let dir = tempfile::tempdir().unwrap();
    let (private, public) = generate_runner_key("dial-out").unwrap();
    tunnels.admit(RUNNER, "h1", &dial_out_key(&public).unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let inbound =
        Inbound::bind(listen, &dir.path().join("host"), tunnels.clone(), Settings::default(), tasks).await.unwrap();
    let (port, host_key) = (inbound.address.port().to_string(), inbound.host_key.clone());
    inbound.serve();
    let key = dir.path().join("key");
    std::fs::write(&key, private.as_bytes()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(dir.path().join("known_hosts"), format!("shuntyard {host_key}\n")).unwrap();
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-N", "-i", "key", "-o", "HostKeyAlias=shuntyard", "-o", "BatchMode=yes", "-o"]);
    ssh.arg(format!("UserKnownHostsFile={}", dir.path().join("known_hosts").display()));
    ssh.args(["-R", &format!("0:127.0.0.1:{}", host.port), "-p", &port, &format!("{DIAL_OUT_USER}@127.0.0.1")]);
    let ssh = ssh.current_dir(dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    timeout(PATIENCE, tunnels.come_up(RUNNER, "h1")).await.expect("the tunnel comes up");
    Dialling(ssh, dir)
}

#[tokio::test]
async fn a_connection_that_stalls_does_not_hold_up_the_others_of_its_tunnel() {
    let (host, tasks) = (TestHost::start(HostSpec::default()), Tasks::new());
    let tunnels = Tunnels::new(&tasks, Clock::system(), &Settings::default());
    let dialling = dial_out(&host, &tunnels, &tasks).await;
    let dial = Dial { route: tunnels.route(RUNNER, "h1"), ..host.dial("deploy") };
    let key = Credential::Key(Arc::clone(&host.client_key));
    // The stall is ours to end, not a limit's.
    let settings =
        Settings { write_stall: PATIENCE, input_stall: PATIENCE, keepalive_interval: PATIENCE, ..Settings::default() };
    let policy = host.pinned();
    let connect = || Session::connect_with(&dial, &key, &policy, &tasks, &settings);
    let (stalled, other) = (connect().await.unwrap(), connect().await.unwrap());
    let sshd = stalled.exec("echo $PPID", Vec::new(), limits()).await.unwrap();
    let sshd = String::from_utf8(sshd.stdout).unwrap().trim().to_owned();
    let mut channel = stalled.open("exec wc -c").await.unwrap();
    host.run_inside(&format!("kill -STOP {sshd}"));
    // Far more than every window and buffer on the way takes.
    let (total, piece) = (48 << 20, Bytes::from(vec![b'x'; 1 << 20]));
    let sending = async {
        for _ in 0..total / piece.len() {
            channel.input.send(piece.clone()).await.unwrap();
        }
        channel.input.eof().await.unwrap();
    };
    tokio::pin!(sending);
    assert!(timeout(Duration::from_secs(2), &mut sending).await.is_err(), "nothing stalls: this test proves nothing");
    for _ in 0..5 {
        let output = timeout(PATIENCE, other.exec("head -c 3000000 /dev/zero", Vec::new(), limits())).await;
        assert_eq!(output.expect("the other connection stands still").unwrap().stdout.len(), 3_000_000);
    }
    host.run_inside(&format!("kill -CONT {sshd}"));
    timeout(PATIENCE, sending).await.expect("the stalled one goes on");

    // A revoked key's tunnel is cut, and what it carried ends.
    tunnels.revoke(RUNNER);
    timeout(PATIENCE, other.closed()).await.expect("the connection ends with its tunnel");
    let mut gone = dialling;
    let until = std::time::Instant::now() + PATIENCE;
    while gone.0.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < until, "the host's end of the tunnel stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_a_tunnel_a_connection_says_what_is_missing() {
    let tasks = Tasks::new();
    let settings = Settings { connect_deadline: Duration::from_millis(300), ..Settings::default() };
    let tunnels = Tunnels::new(&tasks, Clock::system(), &settings);
    let (private, _) = generate_runner_key("h1").unwrap();
    let key = Credential::Key(Arc::new(shuntyard::ssh::load_private_key(&private, None).unwrap()));
    let dial = Dial { route: tunnels.route(RUNNER, "h1"), ..Dial::direct("127.0.0.1".into(), 22, "deploy".into()) };
    let policy = shuntyard::ssh::HostKeyPolicy::Unknown;
    let error = Session::connect_with(&dial, &key, &policy, &tasks, &settings).await.err().expect("an error");
    assert!(matches!(error, ConnectError::Carried { .. }), "{error}");
    assert_eq!(error.to_string(), "the dial-out tunnel of h1 does not reach the host: the host has not dialled out");
}
