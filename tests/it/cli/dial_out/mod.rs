//! Hosts that dial out: real OpenSSH clients against the endpoint, and a real sshd behind them.

mod by_hand;
mod enrol;
mod refused;

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::house::{House, await_that};
use crate::support::sshd::{TestHost, free_port};

/// A dispatcher that listens for hosts that dial out, at this address; they are told to dial `public`.
fn house(listen: &str, public: &str) -> (House, u16) {
    let port = free_port();
    // A house's settings live as long as the test.
    let leaked = |text: String| -> &'static str { text.leak() };
    let settings = [
        ("SHUNTD_DIALOUT_LISTEN", leaked(format!("{listen}:{port}"))),
        ("SHUNTD_DIALOUT_PUBLIC", leaked(format!("{public}:{port}"))),
    ];
    (House::start_set("", settings.to_vec().leak()), port)
}

/// A directory inside the host with a key pair `key` and the `known_hosts` of this endpoint; returns the public line.
fn make_key(house: &House, host: &TestHost, directory: &str) -> String {
    let endpoint = house.api("dial-out");
    let known = format!("shuntyard {}", endpoint["host_key"].as_str().expect("a key"));
    host.run_inside(&format!(
        "mkdir -p -m 700 {directory}; cd {directory}; ssh-keygen -q -t ed25519 -N '' -C me -f key; echo '{known}' >known_hosts"
    ));
    fs::read_to_string(host.path(&format!("{directory}/key.pub"))).expect("a public key").trim().to_owned()
}

/// Lets the host of a runner dial out with this key; returns the command line that was printed for the host.
fn let_dial_out(house: &House, runner: &str, public_line: &str) -> String {
    let file = house.home().join("key.pub");
    fs::write(&file, public_line).expect("a file");
    let ran = house.shunt(&["ctl", "dial-out", runner, "--key-file", file.to_str().expect("a path")]);
    ran.expect(0, &["waits for its host to dial out", "known_hosts"]);
    let line = ran.stderr.lines().find(|line| line.trim().starts_with("ssh -N")).expect("a command line");
    line.trim().to_owned()
}

/// What the endpoint answers to an `ssh` of the machine itself, given up after a few seconds: exit code and what it said.
fn ssh(directory: &std::path::Path, words: &[&str]) -> (i32, String) {
    let mut command = Command::new("timeout");
    command.args(["20", "ssh", "-F", "/dev/null", "-o", "HostKeyAlias=shuntyard", "-o", "StrictHostKeyChecking=yes"]);
    command.arg("-o").arg(format!("UserKnownHostsFile={}", directory.join("known_hosts").display()));
    command.args(["-o", "IdentitiesOnly=yes", "-o", "ExitOnForwardFailure=yes"]).args(words);
    let output = command.stdin(Stdio::null()).current_dir(directory).output().expect("ssh");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tunnel_is_up(house: &House, runner: &str) -> bool {
    house.api(&format!("runners/{runner}"))["dial_out"]["up"] == true
}

fn await_runner(house: &House, runner: &str, what: &str, holds: impl Fn(&Value) -> bool) {
    let path = format!("runners/{runner}");
    await_that(what, || holds(&house.api(&path)), || format!("{}\n{}", house.api(&path), house.log()));
}
