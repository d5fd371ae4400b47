//! Settings that must reach what they are about.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::Client;
use super::house::{House, program};

#[test]
fn the_connect_timeout_holds_for_the_login_of_a_bootstrap() {
    let mut house = House::start();
    house.terminate();
    let dir = house.home().join(".config/shuntyard");
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join("shuntd.toml"), "[ssh]\nconnect_timeout_s = 2\n").expect("a configuration");
    house.start_again();
    // Takes connections and never speaks.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port().to_string();
    let began = Instant::now();
    let words = ["ctl", "install-runner", "h1", "deploy", "--address", "127.0.0.1", "-p", &port, "-y"];
    let ran = house.begin_with_input(&[&words[..], &["--password-stdin"]].concat(), b"x\n").end();
    ran.expect(1, &["did not finish the SSH key exchange within 2 s"]);
    assert!(began.elapsed() < Duration::from_secs(12), "it took {:?}", began.elapsed());
}

#[test]
fn the_dispatcher_takes_more_open_files_than_its_shell_gives_it() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    command.args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\""]).arg(program("shuntd"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
    let shuntd = Client::start(command, b"");
    shuntd.await_note("ready address=");
    let limits = fs::read_to_string(format!("/proc/{}/limits", shuntd.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the limit");
    let figures: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(figures[0] > 256 && figures[0] == figures[1].min(65_536), "{line}");
}
