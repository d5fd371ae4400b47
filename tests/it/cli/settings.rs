//! Settings that must reach what they are about.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::house::House;

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
