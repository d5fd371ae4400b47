//! Hosts that enrol themselves: the real line, on hosts with a real sshd.

mod approval;
mod lines;
mod refused;
mod secrets;

use std::fs;
use std::process::{Command, Output, Stdio};

use super::house::House;
use crate::support::sshd::TestHost;

/// Makes a token with these flags and returns it.
pub fn make_token(house: &House, flags: &[&str]) -> String {
    let ran = house.shunt(&[&["ctl", "create-token", "rack 7"], flags].concat());
    ran.expect(0, &["/enrol.sh | sh -s http://127.0.0.1:"]);
    let token = ran.text().trim().to_owned();
    assert!(token.starts_with("shye_") && token.len() == 41, "{token:?}");
    assert!(!ran.stderr.contains(&token), "the token is said on standard error, too: {}", ran.stderr);
    token
}

/// How a host's line is typed.
pub struct Line<'l> {
    pub user: &'l str,
    pub shell: &'l str,
    /// Without `curl` in front of the others, the host has only this.
    pub client: &'l str,
    pub token: &'l str,
    /// `NAME=VALUE` for the script.
    pub more: &'l [&'l str],
}

impl<'l> Line<'l> {
    /// As root, with dash and curl.
    pub fn new(token: &'l str, more: &'l [&'l str]) -> Self {
        Self { user: "root", shell: "dash", client: "curl -fsS", token, more }
    }
}

/// A directory for `PATH` in which `curl` and `wget` are missing, and one in which wget is BusyBox's.
pub fn hide_curl(host: &TestHost) {
    host.run_inside(
        "for dir in /opt-wget /opt-busybox; do mkdir -p /var/lib$dir; ln -s /usr/bin/* /var/lib$dir/; rm /var/lib$dir/curl; done
         ln -sf /usr/bin/busybox /var/lib/opt-busybox/wget",
    );
}

/// Types the line on the host; its sshd's port is always named, because `sshd -T` does not know it here.
pub fn enrol(house: &House, host: &TestHost, line: &Line<'_>) -> Said {
    let url = format!("http://{}", house.address());
    let path = match line.client.split(' ').next() {
        Some("wget") => "PATH=/var/lib/opt-wget; ",
        Some("busybox") => "PATH=/var/lib/opt-busybox; ",
        _ => "",
    };
    let (port, more) = (host.port, line.more.iter().map(|word| format!("export {word}; ")).collect::<String>());
    let (token, client, shell) = (line.token, line.client, line.shell);
    let typed = format!(
        "{path}export SHUNT_ENROL_PORT={port} SHUNT_ENROL_TOKEN={token}; {more}{client} {url}/enrol.sh | {shell} -s {url}"
    );
    // A file: what is in our own command line would be seen in the host's process table.
    fs::write(host.path("/run/typed"), typed).expect("a file");
    let script = format!("su {} -s /bin/sh -c '. /run/typed'; n=$?; rm /run/typed; exit $n", line.user);
    Said::from(host.exec_inside(&script))
}

/// What the host's terminal shows, and how the line has ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub text: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Self { code: output.status.code().unwrap_or(-1), text }
    }
}

impl Said {
    #[track_caller]
    pub fn expect(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for said in said {
            assert!(self.text.contains(said), "no {said:?} in:\n{}", self.text);
        }
    }
}

/// Asks the API as a host or a program does: method, path, body; answers status and body.
pub fn curl(house: &House, words: &[&str], path: &str) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "-w", "\n%{http_code}"]).args(words).arg(format!("http://{}{path}", house.address()));
    let output = command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().expect("curl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{output:?}"));
    (status.parse().expect("a status"), body.to_owned())
}
