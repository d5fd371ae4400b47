//! Output that is larger than what is kept of it: what is stored, what a user sees, and where it is said.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shuntyard_domain::wire::api::LogChunk;

use super::house::{House, LIMIT, await_that, host};
use crate::api::http::get_range;
use crate::support::sshd::UBUNTU_2204;

/// As many numbered lines of eight bytes.
fn numbered(lines: u32) -> String {
    (0..lines).map(|n| format!("{n:07}\n")).collect()
}

const LINES: u32 = 60_000;

#[test]
fn of_large_output_head_and_tail_are_kept_and_what_is_missing_is_counted() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    // In one burst and then, after a pause, one more line.
    let script = format!("seq -f %07.0f 0 {}; sleep 0.3; echo last", LINES - 1);
    let ran = house.shunt(&["run", "--output-cap", "64KiB", "--", "sh", "-c", &script]);
    ran.expect(0, &["succeeded", "bytes of output not kept"]);
    let job = &house.api("jobs?state=succeeded")[0];
    let (id, elided) = (job["id"].as_str().unwrap().to_owned(), job["elided_bytes"].as_u64().unwrap());
    let whole = numbered(LINES) + "last\n";
    let length = whole.len() as u64;
    assert_eq!((&job["truncated"], &job["log_bytes"]), (&false.into(), &length.into()), "{job}");
    assert_eq!((&job["output_cap_bytes"], &job["elided_from"]), (&65_536.into(), &32_768.into()), "{job}");
    assert!((length - 65_536..=length - 61_440).contains(&elided), "{job}");
    let tail_at = 32_768 + usize::try_from(elided).unwrap();
    let line = format!("\n[shuntyard: {elided} bytes of output are not kept]\n");
    let expected = [&whole[..32_768], &line, &whole[tail_at..]].concat();
    for words in [&["logs", &id][..], &["logs", "-f", &id]] {
        assert!(house.shunt(words).text() == expected, "{words:?}");
    }
    for words in [&["logs", "--json", &id][..], &["logs", "-f", "--json", &id]] {
        pieces_are(&house.shunt(words).text(), &whole, 32_768..tail_at);
    }
    ranges(&house, &id, &whole, 32_768..tail_at);
}

/// Checks lines of JSON: every byte that is kept once, at its offset, and the gap told in front of the piece behind it.
fn pieces_are(text: &str, whole: &str, gap: std::ops::Range<usize>) {
    let mut at = 0;
    for line in text.lines() {
        let chunk: LogChunk = serde_json::from_str(line).unwrap();
        at += usize::try_from(chunk.elided_bytes).unwrap();
        assert_eq!((chunk.offset, chunk.elided_bytes > 0), (at as u64, at == gap.end));
        let bytes = STANDARD.decode(&chunk.base64).unwrap();
        assert!(whole.as_bytes()[at..].starts_with(&bytes), "other bytes at {at}");
        at += bytes.len();
    }
    assert_eq!(at, whole.len());
}

/// A range is answered with its first part that is kept.
fn ranges(house: &House, id: &str, whole: &str, gap: std::ops::Range<usize>) {
    let path = format!("/api/v0/e/default/jobs/{id}/log");
    let (start, end, length) = (gap.start, gap.end, whole.len());
    for (range, kept) in [
        ("bytes=0-9".to_owned(), Some(0..10)),
        ("bytes=0-".to_owned(), Some(0..start)),
        (format!("bytes=10-{}", length - 1), Some(10..start)),
        (format!("bytes={}-{}", start - 1, end), Some(start - 1..start)),
        (format!("bytes={start}-{end}"), Some(end..end + 1)),
        (format!("bytes={}-", end - 1), Some(end..length)),
        (format!("bytes={end}-"), Some(end..length)),
        ("bytes=-3".to_owned(), Some(length - 3..length)),
        (format!("bytes=-{length}"), Some(0..start)),
        (format!("bytes={start}-{}", end - 1), None),
        (format!("bytes={}-{}", start + 1, start + 1), None),
        (format!("bytes={length}-"), None),
    ] {
        let answer = get_range(house.address(), &path, &house.token(), &range);
        let Some(kept) = kept else {
            assert_eq!((answer.status, &answer.json()["error"]), (416, &"bad_range".into()), "{range}");
            continue;
        };
        let said = format!("bytes {}-{}/{length}", kept.start, kept.end - 1);
        assert_eq!((answer.status, answer.header("content-range")), (206, Some(said.as_str())), "{range}");
        assert_eq!(answer.header("content-length"), Some(kept.len().to_string().as_str()), "{range}");
        assert!(answer.body == whole.as_bytes()[kept], "{range}: other bytes");
    }
}

/// Reads a job's event stream from `offset` to its end: the chunks, each with the id of its event.
fn stream(house: &House, id: &str, offset: u64) -> Vec<(u64, LogChunk)> {
    let mut socket = TcpStream::connect(house.address()).expect("the API");
    socket.set_read_timeout(Some(LIMIT)).expect("a time limit");
    // HTTP/1.0: an answer that is not sent in HTTP's own chunks.
    let head = format!(
        "GET /api/v0/e/default/jobs/{id}/log/streaming HTTP/1.0\r\nAuthorization: Bearer {}\r\nLast-Event-ID: {offset}\r\n\r\n",
        house.token()
    );
    socket.write_all(head.as_bytes()).expect("a request");
    let (mut chunks, mut name, mut data, mut event_id) = (Vec::new(), String::new(), String::new(), 0);
    for line in BufReader::new(socket).lines() {
        let line = line.expect("a line in time");
        match line.split_once(": ") {
            Some(("event", event)) => name = event.into(),
            Some(("data", text)) => data = text.into(),
            Some(("id", text)) => event_id = text.parse().expect("an offset"),
            _ if line.is_empty() && name == "chunk" => {
                chunks.push((event_id, serde_json::from_str(&data).expect("a chunk")));
            }
            _ if line.is_empty() && name == "end" => return chunks,
            _ => {}
        }
    }
    panic!("the stream of {id} ended without its end");
}

#[test]
fn a_live_stream_goes_on_behind_what_is_dropped_in_chunks_of_64_kib() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    // More than a growing log may have: the first cut comes while the job runs.
    let lines = 1_300_000;
    let script = format!("seq -f %07.0f 0 {}; until [ -e ~/go ]; do sleep 0.05; done; echo last", lines - 1);
    let id = house.post_job(&json!({"script": script, "output_cap_bytes": 1 << 20}));
    let running = || house.job(&id);
    await_that(
        "all is stored, and a part dropped",
        || running()["log_bytes"] == lines * 8 && running()["elided_bytes"].as_u64() > Some(0),
        || running().to_string(),
    );
    assert_eq!((&running()["state"], &running()["elided_from"]), (&"running".into(), &(512 << 10).into()));
    // The next dispatcher goes on with the sum, which it cannot make from what is kept.
    house.kill();
    house.start_again();
    let whole = numbered(lines) + "last\n";
    let offsets = [0, 511 << 10, 600 << 10];
    std::thread::scope(|scope| {
        let (house, id) = (&house, &id);
        let readers = offsets.map(|offset| (offset, scope.spawn(move || stream(house, id, offset))));
        let follower = house.begin(&["logs", "-f", id]);
        follower.await_output("bytes of output are not kept]");
        host.run_inside("touch ~deploy/go");
        let job = house.await_end(id);
        assert_eq!((&job["log_bytes"], &job["truncated"]), (&whole.len().into(), &false.into()), "{job}");
        for (offset, reader) in readers {
            whole_but_a_gap(&reader.join().expect("a reader"), offset, whole.as_bytes());
        }
        assert!(follower.end().text().ends_with("1299999\nlast\n"));
    });
}

/// Checks chunks: small, in order, with true ids, and missing nothing but what they say.
fn whole_but_a_gap(chunks: &[(u64, LogChunk)], from: u64, whole: &[u8]) {
    let (mut at, mut elided_bytes) = (from, 0);
    for (event_id, chunk) in chunks {
        let bytes = STANDARD.decode(&chunk.base64).unwrap();
        assert!((1..=64 << 10).contains(&bytes.len()), "a chunk of {} bytes", bytes.len());
        at += chunk.elided_bytes;
        elided_bytes += chunk.elided_bytes;
        assert_eq!(chunk.offset, at);
        assert!(whole[usize::try_from(at).unwrap()..].starts_with(&bytes), "other bytes at {at}");
        at += bytes.len() as u64;
        assert_eq!(*event_id, at);
    }
    assert_eq!(at, whole.len() as u64);
    assert!(elided_bytes > 0, "the gap was told to who began at {from}");
}

#[test]
fn a_phase_says_how_much_of_its_output_is_kept() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start_set("", &[("SHUNTD_OUTPUT_CAP_MIB", "2")]);
    house.enrol(&host, 1);
    let run = "head -c 3000000 /dev/zero";
    let config = json!({"phases": {"unit": {"run": run, "output_cap_mib": 1}, "lint": {"run": run}}}).to_string();
    for (phase, cap) in [("unit", 1 << 20), ("lint", 2 << 20)] {
        let body = json!({"project": "p", "phase": phase, "config": config}).to_string();
        let posted = house.shunt(&["api", "post", "phase_runs", "-d", &body]);
        posted.expect(0, &[]);
        let posted: Value = serde_json::from_slice(&posted.stdout).unwrap();
        let job = house.await_end(posted["jobs"][0]["id"].as_str().unwrap());
        assert_eq!(job["output_cap_bytes"], cap, "{job}");
        let kept = 3_000_000 - job["elided_bytes"].as_u64().unwrap();
        assert!((cap - 4096..=cap).contains(&kept), "{kept} bytes: {job}");
    }
}

#[test]
fn a_job_that_would_fill_its_host_is_stopped_and_fails() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start_set("", &[("SHUNTD_OUTPUT_SPOOL_CAP_MIB", "2")]);
    house.enrol(&host, 1);
    let flood = "while :; do head -c 500000 /dev/zero; sleep 0.1; done";
    // On a channel of its own, on one that had a job before, and on a host that has no watchdog.
    for (kept_by, grace_s) in [("host", 30), ("host", 30), ("dispatcher", 1)] {
        if kept_by == "dispatcher" {
            house.await_empty_spool(&host);
            let base = house.api("runners/u1")["base_dir"].as_str().unwrap().to_owned();
            host.run_inside(&format!("sed -i 's/^guard() {{$/guard() {{ return 0/' {base}/wrapper-*"));
        }
        let id = house.post_job(&json!({"script": flood, "output_cap_bytes": 65_536, "stop_grace_s": grace_s}));
        let job = house.await_end(&id);
        assert_eq!((&job["state"], &job["stop_reason"]), (&"failed".into(), &"output_limit".into()), "{job}");
        assert!(job["log_bytes"].as_u64() > Some(2 << 20) && job["elided_bytes"].as_u64() > Some(0), "{job}");
        assert_eq!(job["truncated"], false, "{job}");
        assert!(job["receipt"]["signals"].to_string().contains("TERM"), "{job}");
        assert_eq!(house.log().contains("reason=output_limit"), kept_by == "dispatcher", "{kept_by}");
    }
    house.shunt(&["run", "--", "true"]).expect(0, &["succeeded"]);
    house.await_empty_spool(&host);
    for (bad, why) in [("1", "no unit"), ("1KiB", "not within"), ("lots", "whole number")] {
        house.shunt(&["run", "--output-cap", bad, "--", "true"]).expect(2, &[why, "512MiB"]);
    }
}
