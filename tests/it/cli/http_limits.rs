//! What a client may do to the API: methods, ids, sizes, and reading slowly.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

fn token(house: &House) -> String {
    fs::read_to_string(house.home().join("share/shuntyard/admin.token")).expect("the token").trim().to_owned()
}

fn send(house: &House, request: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.address()).expect("the API");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").expect("a request");
    stream
}

/// The whole answer as text.
fn answer(house: &House, request: &str) -> String {
    let mut text = Vec::new();
    let headers = format!("Authorization: Bearer {}\r\n", token(house));
    send(house, request, &headers).read_to_end(&mut text).expect("an answer");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn methods_ids_and_tokens_that_do_not_fit_are_told_so() {
    let house = House::start();
    let tree = "/api/v0/e/default";
    for (request, status, said) in [
        (format!("HEAD {tree}/jobs"), "200", "content-type: application/json"),
        (format!("PUT {tree}/jobs"), "405", "allow: GET,HEAD,POST"),
        (format!("PUT {tree}/jobs"), "405", "method_not_allowed"),
        (format!("GET {tree}/nothing"), "404", "invalid_route"),
        (format!("GET {tree}/jobs/..%2f..%2fadmin.token/log"), "404", "not_found"),
        (format!("GET {tree}/jobs/%00/log"), "404", "not_found"),
        (format!("GET {tree}/runners/..%2f.."), "404", "not_found"),
        (format!("GET {tree}/jobs?before=x"), "400", "before"),
        (format!("GET {tree}/jobs?limit=501"), "400", "1 to 500"),
        (format!("GET {tree}/jobs?state=%00"), "400", "state"),
        (format!("GET {tree}/jobs?project=%00"), "400", "project"),
    ] {
        let answer = answer(&house, &request);
        let first = answer.lines().next().unwrap_or_default();
        assert!(first.contains(status) && answer.contains(said), "{request}: {answer}");
        assert!(!request.starts_with("HEAD") || answer.ends_with("\r\n\r\n"), "{request} has a body: {answer}");
    }
    let mut refused = String::new();
    send(&house, &format!("GET {tree}/jobs"), "").read_to_string(&mut refused).expect("an answer");
    assert!(refused.contains("401") && refused.contains("ChefToken"), "{refused}");
    let body = format!(r#"{{"script":"{}"}}"#, "x".repeat(3 << 20));
    let mut stream = TcpStream::connect(house.address()).expect("the API");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    let head = format!(
        "POST {tree}/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        token(&house),
        body.len()
    );
    // It may hang up before it has read all.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body.as_bytes()[..1 << 16]));
    let mut told = [0; 512];
    let read = stream.read(&mut told).expect("an answer");
    assert!(String::from_utf8_lossy(&told[..read]).contains("413"), "{}", String::from_utf8_lossy(&told[..read]));
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}

#[test]
fn a_client_that_does_not_read_costs_little_memory_and_holds_up_nobody() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "head -c 60000000 /dev/zero | tr '\\0' x");
    let headers = format!("Authorization: Bearer {}\r\n", token(&house));
    let path = format!("GET /api/v0/e/default/jobs/{id}/log/streaming");
    let deaf: Vec<TcpStream> = (0..20).map(|_| send(&house, &path, &headers)).collect();
    let job = house.await_end(&id);
    assert_eq!(job["log_bytes"], 60_000_000, "{job}");
    let status = fs::read_to_string(format!("/proc/{}/status", house.pid())).expect("the dispatcher's status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak_kb < 400_000, "20 deaf listeners of 60 MB: the dispatcher's peak is {peak_kb} kB");
    drop(deaf);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}
