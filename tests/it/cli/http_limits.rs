//! What a client may do to the API: methods, ids, sizes, and reading slowly.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::house::{House, LIMIT, await_that, host};
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
    let peak_kb = house.memory_kib("VmHWM");
    assert!(peak_kb < 400_000, "20 deaf listeners of 60 MB: the dispatcher's peak is {peak_kb} kB");
    drop(deaf);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

/// A connection that has sent `text`, as far as the server has taken it.
fn saying(house: &House, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.address()).expect("the API");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    let _ = stream.write_all(text.as_bytes());
    stream
}

/// A connection that has sent the beginning of a request.
fn begun(house: &House) -> TcpStream {
    saying(house, "GET /healthz HTTP/1.1\r\nX-Slow: ")
}

/// What the connection gets to its end; empty when it is closed without a word.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_request_that_comes_in_drops_is_closed_after_a_while() {
    let house = House::start();
    let began = Instant::now();
    let slow = begun(&house);
    let mut drops = slow.try_clone().expect("a second handle");
    let dripping = std::thread::spawn(move || {
        while drops.write_all(b"x").is_ok() && began.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    // One that says nothing at all, and one that is kept after its answer.
    let silent = saying(&house, "");
    let kept = saying(&house, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!rest(&slow).contains("200"));
    assert!(!rest(&silent).contains("200"));
    assert!(rest(&kept).starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < LIMIT, "they were closed only after {:?}", began.elapsed());
    dripping.join().expect("the drops");
}

#[test]
fn a_crowd_of_idle_connections_is_turned_away_and_harms_nobody_for_long() {
    let mut house = House::start();
    let health = |house: &House| rest(&saying(house, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    // An event stream that was there before is not touched.
    let headers = format!("Authorization: Bearer {}\r\n", token(&house));
    let mut stream = send(&house, "GET /api/v0/e/default/jobs/streaming", &headers);
    let mut first = [0; 4096];
    assert!(stream.read(&mut first).expect("the first list") > 0);
    let crowd: Vec<TcpStream> = (0..700).map(|_| begun(&house)).collect();
    let mut told = String::new();
    let mut is_told = || {
        told = health(&house);
        told.contains("503") && told.contains("too_many_connections") && told.contains("retry-after: 5")
    };
    await_that("a further client is told that there are too many", &mut is_told, String::new);
    await_that("the idle ones are closed and others served", || health(&house).contains(" 200 "), || health(&house));
    let closed = crowd.iter().filter(|stream| !rest(stream).contains(" 200 ")).count();
    assert_eq!(closed, crowd.len());
    let id = house.submit(&[], "true");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(&id) {
        let read = stream.read(&mut first).expect("the stream goes on");
        assert!(read > 0, "the stream has ended");
        seen.extend_from_slice(&first[..read]);
    }
    // A stop ends the stream, and waits neither for it nor for a client that is silent.
    let silent = begun(&house);
    let began = Instant::now();
    assert!(house.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(20), "the stop took {:?}", began.elapsed());
    assert_eq!(rest(&silent), "");
}
