//! Sessions of Chef's old command line, replayed against a real daemon, byte for byte.
//!
//! `fixtures/api/chef/` holds them as text: `> ` a line that is sent, `< ` a line that must come back (status line, the headers
//! that matter, the body), `~ ` a wait, `# ` a remark. Only what differs from run to run is written as `{{…}}`; one with a
//! number is the same value wherever it stands, also in later requests. `UPDATE_CHEF=1` records the answers anew.

mod varying;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::users::{ask, make_user};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::UBUNTU_2204;
use varying::Varying;

/// Whatever is between the lines is not looked at by anybody.
const HEADERS: [&str; 5] = ["content-type", "www-authenticate", "allow", "content-disposition", "retry-after"];

/// Sends lines as they are written and returns the answer: head, and body without its chunks.
fn exchange(address: &str, lines: &[String]) -> (String, String) {
    let blank = lines.iter().position(String::is_empty);
    let (head, body) = lines.split_at(blank.unwrap_or(lines.len()));
    let body = body.get(1..).unwrap_or_default().join("\n");
    let mut text = head.join("\r\n") + &format!("\r\nHost: {address}\r\nConnection: close\r\n");
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut socket = TcpStream::connect(address).expect("the API listens");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    socket.write_all(format!("{text}\r\n{body}").as_bytes()).expect("the request");
    let streams = head[0].contains("/streaming");
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = socket.read(&mut piece).expect("an answer");
        bytes.extend_from_slice(&piece[..read]);
        let answer = String::from_utf8_lossy(&bytes);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        // Of a stream the first event is enough.
        if read == 0 || (streams && body.contains("\n\n")) {
            return (head.to_owned(), unchunked(head, body));
        }
    }
}

fn unchunked(head: &str, body: &str) -> String {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size").min(behind.len());
        whole += &behind[..size];
        rest = behind[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    whole
}

/// The lines of an answer that are held to the record.
fn recorded(varying: &mut Varying, head: &str, body: &str) -> Vec<String> {
    let mut lines = head.lines();
    let mut kept = vec![lines.next().unwrap_or_default().to_owned()];
    let headers: Vec<(String, &str)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect();
    for name in HEADERS {
        kept.extend(headers.iter().filter(|(known, _)| known == name).map(|(_, value)| format!("{name}: {value}")));
    }
    kept.push(String::new());
    if !body.is_empty() {
        kept.extend(body.trim_end_matches('\n').split('\n').map(|line| match line.strip_prefix("id: ") {
            Some(_) => "id: {{place}}".to_owned(),
            None => varying.written(line),
        }));
    }
    kept
}

/// Plays a session; returns it with the answers that came.
fn play(house: &House, session: &str) -> String {
    let mut varying = Varying::default();
    let mut played = String::new();
    let mut sent: Vec<String> = Vec::new();
    let answer = |sent: &mut Vec<String>, played: &mut String, varying: &mut Varying| {
        if sent.is_empty() {
            return;
        }
        let (head, body) = exchange(house.address(), sent);
        let mut lines = recorded(varying, &head, &body);
        // How far a new job or change is when it is told depends on how quick the engine is; lists show the same object later.
        if head.starts_with("HTTP/1.1 201") && ["/jobs HTTP", "/changes HTTP"].iter().any(|new| sent[0].contains(new)) {
            lines.pop();
            lines.push("{{as far as it is}}".to_owned());
        }
        for line in lines {
            *played += format!("< {line}").trim_end();
            played.push('\n');
        }
        sent.clear();
    };
    for line in session.lines() {
        if let Some(line) = line.strip_prefix('>') {
            sent.push(varying.read(line.strip_prefix(' ').unwrap_or(line)));
        } else if line.starts_with('<') {
            continue;
        } else {
            answer(&mut sent, &mut played, &mut varying);
        }
        if let Some(wait) = line.strip_prefix("~ ") {
            await_text(house, wait);
        }
        played += line;
        played.push('\n');
    }
    answer(&mut sent, &mut played, &mut varying);
    played
}

/// Waits for what a line says: `PATH holds TEXT` or `PATH lacks TEXT`.
fn await_text(house: &House, wait: &str) {
    let look = |path: &str| String::from_utf8_lossy(&ask(house, "GET", path, &house.token(), None).body).into_owned();
    let (path, text, wanted) = match (wait.split_once(" holds "), wait.split_once(" lacks ")) {
        (Some((path, text)), _) => (path, text, true),
        (None, Some((path, text))) => (path, text, false),
        (None, None) => panic!("no wait: {wait}"),
    };
    await_that(wait, || look(path).contains(text) == wanted, || look(path));
}

fn replay(house: &House, name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/api/chef").join(name);
    let session = std::fs::read_to_string(&path).expect("the session");
    let played = play(house, &session);
    if std::env::var_os("UPDATE_CHEF").is_some() {
        std::fs::write(&path, &played).expect("the session is written");
        return;
    }
    for (n, (expected, came)) in session.lines().zip(played.lines()).enumerate() {
        assert_eq!(came, expected, "{name}, line {}", n + 1);
    }
    assert_eq!(played.lines().count(), session.lines().count(), "{name}");
}

/// Who takes part: ann may everything, bob looks, both with this password.
fn people(house: &House) {
    make_user(house, "ann", &json!([{"role": "admin"}]));
    make_user(house, "bob", &json!([{"role": "observer"}]));
}

#[test]
fn logging_in_and_being_refused() {
    let house = House::start();
    people(&house);
    replay(&house, "login.txt");
}

#[test]
fn runners_and_jobs() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    people(&house);
    house.await_contact(&host, "connected");
    replay(&house, "runners.txt");
}

#[test]
fn changes() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 4)]);
    people(&house);
    house.await_contact(&host, "connected");
    replay(&house, "changes.txt");
}
