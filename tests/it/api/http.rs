//! Requests by hand: exactly the bytes that a case asks for, which no well-behaved client would send.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// As `request`, a GET for this range.
pub fn get_range(address: &str, path: &str, token: &str, range: &str) -> Answer {
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Range", range)];
    send(address, "GET", path, &headers, None)
}

/// Sends one request on a connection of its own and reads to the end of the answer.
pub fn request(address: &str, method: &str, path: &str, token: Option<&str>, body: Option<&[u8]>) -> Answer {
    try_request(address, method, path, token, body).expect("the API answers")
}

/// As `request`, a POST with this Idempotency-Key.
pub fn post_with_key(address: &str, path: &str, token: &str, key: &str, body: &[u8]) -> Answer {
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Idempotency-Key", key)];
    try_send(address, "POST", path, &headers, Some(body)).expect("the API answers")
}

/// As `request`, for a server that may be killed meanwhile.
pub fn try_request(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&[u8]>,
) -> io::Result<Answer> {
    let token = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = token.iter().map(|token| ("Authorization", token.as_str())).collect();
    try_send(address, method, path, &headers, body)
}

/// Sends one request with these headers.
pub fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
    try_send(address, method, path, headers, body).expect("the API answers")
}

/// As `send`; a stream is read up to its first event.
pub fn send_to_event(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
    read_until(address, method, path, headers, body, has_event).expect("the API answers")
}

pub fn try_send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> io::Result<Answer> {
    read_until(address, method, path, headers, body, |_| false)
}

/// Reads an answer up to its end, or until it is `enough`.
fn read_until(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
    enough: impl Fn(&[u8]) -> bool,
) -> io::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body {
        head += "Content-Type: application/json\r\n";
        // A length that is announced only is a header of its own.
        if !headers.iter().any(|(name, _)| *name == "Content-Length") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
    }
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    socket.write_all(format!("{head}\r\n").as_bytes())?;
    socket.write_all(body.unwrap_or_default())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        let read = socket.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..read]);
        if read == 0 || enough(&bytes) {
            break;
        }
    }
    parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A whole event has come; nobody waits for the end of a stream that has none.
fn has_event(bytes: &[u8]) -> bool {
    let Some(answer) = parse(bytes) else { return false };
    let is_stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    is_stream && answer.body.windows(6).any(|six| six == b"event:") && answer.body.windows(2).any(|two| two == b"\n\n")
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
    let body = bytes[end + 4..].to_vec();
    Some(Answer { status: status.expect("a status"), headers: lines.filter_map(header).collect(), body })
}
