//! A daemon that nobody has given a certificate.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::{Stranger, address, fingerprint, self_signed};
use crate::cli::house::{House, LIMIT, await_that, command, program};

#[test]
fn on_an_address_that_others_reach_the_first_start_speaks_tls_and_shunt_finds_it_there() {
    // Every address of a network of its own: nobody else's.
    let home = tempfile::tempdir().expect("a home");
    let ours = command("shuntd", home.path());
    let mut shuntd = Command::new("unshare");
    shuntd.args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" serve --listen 0.0.0.0:8920"]);
    shuntd.arg(program("shuntd")).env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let log = home.path().join("log");
    shuntd.stdin(Stdio::null()).stderr(fs::File::create(&log).expect("a log"));
    let mut shuntd = shuntd.spawn().expect("unshare");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    await_that("it is ready", || said().contains("ready address="), said);
    let inside = |words: &[&str]| {
        let ours = command("shunt", home.path());
        let mut entered = Command::new("nsenter");
        entered.args(["--net", "--target", &shuntd.id().to_string()]).args(words).env_clear();
        entered.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = entered.output().expect("nsenter");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let shunt = program("shunt").display().to_string();
    // It knows address, certificate and token by what the daemon has left.
    let (code, text) = inside(&[&shunt, "jobs"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = inside(&[&shunt, "whoami"]);
    assert!(code == Some(0) && text.contains("https://127.0.0.1:8920") && text.contains("SHA256:"), "{text}");
    // Over plain HTTP nothing is answered but that, and no token is taken.
    let (code, text) = inside(&[&shunt, "jobs", "--server", "http://127.0.0.1:8920"]);
    assert!(code == Some(1) && text.contains("write https://") && text.contains("tls_required"), "{text}");
    let data = home.path().join("share/shuntyard");
    for (name, mode) in [("tls.key", 0o600), ("tls.crt", 0o600), ("admin.server", 0o600)] {
        let found = fs::metadata(data.join(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    assert!(said().contains("the API speaks TLS fingerprint=SHA256:"), "{}", said());
    let _ = shuntd.kill();
    let _ = shuntd.wait();
}

#[test]
fn the_certificate_of_the_first_start_stays_and_other_programs_can_check_it() {
    let mut house = self_signed();
    let first = fingerprint(&house);
    house.terminate();
    house.start_again();
    assert_eq!(fingerprint(&house), first);
    let stranger = Stranger::new();
    let file = house.data_dir().join("tls.crt").display().to_string();
    let token = house.token();
    let mut command = stranger.command(&["jobs", "--server", &address(&house), "--ca-file", &file]);
    command.env("SHUNT_TOKEN", &token);
    assert!(command.output().expect("shunt").status.success(), "it is taken as its own authority");
    let mut command = stranger.command(&["jobs", "--server", &address(&house)]);
    command.env("SHUNT_TOKEN", &token).env("SHUNT_FINGERPRINT", &first);
    assert!(command.output().expect("shunt").status.success(), "it is taken by its fingerprint");
    let mut curl = Command::new("curl");
    curl.args(["-qfsS", &format!("{}/healthz", address(&house))]).env_clear().env("CURL_CA_BUNDLE", &file);
    let told = curl.output().expect("curl");
    assert!(told.status.success(), "{told:?}");
}

#[test]
fn a_port_with_tls_answers_plain_http_with_a_sentence_and_closes_what_says_nothing() {
    let house = self_signed();
    let connect = || {
        let stream = TcpStream::connect(house.address()).expect("the API");
        stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
        stream
    };
    let rest = |mut stream: TcpStream| {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let mut plain = connect();
    plain
        .write_all(b"GET /api/v0/e/default/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n")
        .expect("a request");
    let told = rest(plain);
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("tls_required") && told.contains("https://"), "{told}");
    // One that never begins the handshake, and one that begins it and goes no further.
    let silent = connect();
    let mut begun = connect();
    begun.write_all(&[22, 3, 1]).expect("the beginning of a handshake");
    assert_eq!((rest(silent), rest(begun)), (String::new(), String::new()), "both are closed");
    // A stop waits for no handshake.
    let mut house = house;
    let _silent = TcpStream::connect(house.address()).expect("the API");
    assert!(house.terminate().success());
}

#[test]
fn https_to_a_port_without_tls_is_told_as_that() {
    let house = House::start();
    let ran = Stranger::new().shunt(&["jobs", "--server", &address(&house)]);
    ran.expect(1, &["does not speak TLS on that port; perhaps http:// is meant"]);
}
