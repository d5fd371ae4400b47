//! What the endpoint does not do, for those who may come in and for those who may not.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Ended, house, let_dial_out, ssh, tunnel_is_up};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{CENTOS_7, free_port};

/// On the machine itself: a directory with `key`, `other` and `known_hosts` of the endpoint.
fn keys(house: &House) -> PathBuf {
    let directory = house.home().join("keys");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["key", "other"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(name));
        assert!(keygen.stdin(Stdio::null()).status().unwrap().success());
    }
    let endpoint = house.api("dial-out");
    fs::write(directory.join("known_hosts"), format!("shuntyard {}\n", endpoint["host_key"].as_str().unwrap()))
        .unwrap();
    directory
}

/// A tunnel that is up.
fn tunnel(directory: &std::path::Path, port: u16, target: u16) -> Ended {
    let (known, forward) = (directory.join("known_hosts"), format!("0:127.0.0.1:{target}"));
    let mut command = Command::new("ssh");
    command.args([
        "-F",
        "/dev/null",
        "-N",
        "-i",
        "key",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "HostKeyAlias=shuntyard",
        "-o",
    ]);
    command.arg(format!("UserKnownHostsFile={}", known.display())).args(["-o", "BatchMode=yes", "-R", &forward]);
    command.args(["-p", &port.to_string(), "dial-out@127.0.0.1"]).current_dir(directory);
    Ended(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_key_opens_one_tunnel_and_nothing_else() {
    let (host, (house, port)) = (host("h1", CENTOS_7), house("127.0.0.1", "127.0.0.1"));
    house.enrol(&host, 1);
    let directory = keys(&house);
    let public = fs::read_to_string(directory.join("key.pub")).unwrap();
    let_dial_out(&house, "h1", public.trim());
    let p = port.to_string();
    let to = |user: &str| format!("{user}@127.0.0.1");
    let dial = to("dial-out");
    let refused = "only a tunnel is taken here";
    for (words, said) in [
        (&["-i", "key", "-p", &p, &dial][..], refused),
        (&["-i", "key", "-p", &p, "-tt", &dial], refused),
        (&["-i", "key", "-p", &p, &dial, "id"], refused),
        (&["-i", "key", "-p", &p, "-s", &dial, "sftp"], refused),
        (&["-i", "key", "-p", &p, "-W", "127.0.0.1:22", &dial], refused),
        (&["-i", "key", "-p", &p, "-N", "-R", "/tmp/no.sock:127.0.0.1:22", &dial], "forwarding failed"),
        (&["-i", "key", "-p", &p, "-N", "-R", "0:127.0.0.1:22", "-R", "1:127.0.0.1:22", &dial], "forwarding failed"),
        (&["-i", "other", "-p", &p, "-N", "-R", "0:127.0.0.1:22", &dial], "Permission denied (publickey)"),
        (&["-i", "key", "-p", &p, "-N", "-R", "0:127.0.0.1:22", &to("root")], "Permission denied (publickey)"),
        (&["-p", &p, "-o", "PubkeyAuthentication=no", &dial], "Permission denied (publickey)"),
    ] {
        let (code, answer) = ssh(&directory, words);
        assert!(code == 255 && answer.contains(said), "{words:?}: {code}\n{answer}");
    }
    // Through -L nobody gets anywhere: the listener is the client's own, each connection is refused.
    let local = free_port();
    let _tunnel = tunnel(&directory, port, host.port);
    await_that("the tunnel is up", || tunnel_is_up(&house, "h1"), || house.log());
    house.await_contact(&host, "connected");
    let forward = format!("{local}:127.0.0.1:{}", host.port);
    let mut client = Command::new("ssh");
    client.args(["-F", "/dev/null", "-N", "-i", "key", "-o", "HostKeyAlias=shuntyard", "-o", "BatchMode=yes", "-o"]);
    client.arg(format!("UserKnownHostsFile={}", directory.join("known_hosts").display()));
    client.args(["-L", &forward, "-p", &p, &dial]).current_dir(&directory);
    let _client = Ended(client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut socket = None;
    let connects = || {
        socket = TcpStream::connect(("127.0.0.1", local)).ok();
        socket.is_some()
    };
    await_that("ssh listens", connects, || house.log());
    let mut socket = socket.unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut heard = Vec::new();
    let _ = socket.read_to_end(&mut heard);
    assert!(heard.is_empty(), "something answers through -L: {}", String::from_utf8_lossy(&heard));
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_deleted_runner_is_cut_off_and_two_runners_do_not_share_a_key() {
    let (one, two, (house, port)) = (host("h1", CENTOS_7), host("h2", CENTOS_7), house("127.0.0.1", "127.0.0.1"));
    house.enrol(&one, 1);
    house.enrol(&two, 1);
    let directory = keys(&house);
    let file = directory.join("key.pub");
    let_dial_out(&house, "h1", fs::read_to_string(&file).unwrap().trim());
    let ran = house.shunt(&["ctl", "dial-out", "h2", "--key-file", file.to_str().unwrap()]);
    ran.expect(1, &["the key opens the tunnel of another runner"]);
    assert!(house.api("runners/h2")["dial_out"].is_null());
    fs::write(directory.join("junk"), "ssh-ed25519 AAAA").unwrap();
    let ran = house.shunt(&["ctl", "dial-out", "h2", "--key-file", directory.join("junk").to_str().unwrap()]);
    ran.expect(1, &["not a public key that is taken here"]);

    let mut tunnel = tunnel(&directory, port, one.port);
    house.await_contact(&one, "connected");
    house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(0, &[]);
    await_that("its tunnel is cut", || tunnel.0.try_wait().unwrap().is_some(), || house.log());
    let p = port.to_string();
    let words = ["-i", "key", "-p", &p, "-N", "-R", "0:127.0.0.1:22", "dial-out@127.0.0.1"];
    let (code, said) = ssh(&directory, &words);
    assert!(code == 255 && said.contains("Permission denied"), "{code} {said}");
}

#[test]
fn a_flood_of_strangers_takes_a_bounded_number_of_places_and_a_host_gets_in_after_it() {
    let (host, (house, port)) = (host("h1", CENTOS_7), house("127.0.0.1", "127.0.0.1"));
    house.enrol(&host, 1);
    let directory = keys(&house);
    let_dial_out(&house, "h1", fs::read_to_string(directory.join("key.pub")).unwrap().trim());
    let mut strangers: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let mut served = 0;
    for stranger in &mut strangers {
        stranger.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut first = [0; 4];
        // A place means a banner; without one the connection is closed.
        served += usize::from(stranger.read_exact(&mut first).is_ok() && &first == b"SSH-");
    }
    assert!((1..=16).contains(&served), "{served} strangers of one address are served at a time");
    drop(strangers);
    let mut tunnels = vec![tunnel(&directory, port, host.port)];
    let is_up = || {
        if tunnels.last_mut().unwrap().0.try_wait().unwrap().is_some() {
            tunnels.push(tunnel(&directory, port, host.port));
        }
        tunnel_is_up(&house, "h1")
    };
    await_that("a host gets in", is_up, || house.log());
    house.await_contact(&host, "connected");
}

#[test]
fn without_an_endpoint_nobody_is_told_to_dial_out() {
    let house = House::start();
    for words in [&["ctl", "dial-out"][..], &["ctl", "create-token", "x", "--dial-out"]] {
        house.shunt(words).expect(1, &["does not listen for hosts that dial out; set [dialout] listen"]);
    }
}
