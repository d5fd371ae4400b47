//! Gigabytes of output, a line of a hundred megabytes, readers that do not read: memory stays where it is, and nobody
//! waits for somebody else.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::house::{House, await_within, host};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// What the dispatcher's memory may grow by, whatever a job writes.
const MAX_GROWTH_KIB: u64 = 64 << 10;

/// A dispatcher that has had its first job, and its memory then.
fn warm(host: &TestHost, slots: u32) -> (House, u64) {
    let house = House::with(&[(host, slots)]);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    let before = house.memory_kib("VmRSS");
    (house, before)
}

/// MiB of the large log; `SHUNT_TEST_OUTPUT_MIB=5120` for what is promised.
fn large_mib() -> u64 {
    std::env::var("SHUNT_TEST_OUTPUT_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[test]
fn a_large_log_and_a_line_without_end_take_no_memory() {
    let host = host("u1", UBUNTU_2204);
    let (house, before) = warm(&host, 1);
    let line = "head -c 100000000 /dev/zero | tr '\\0' x";
    let large = format!("head -c {} /dev/zero", large_mib() << 20);
    for (script, bytes, cap) in [(line, 100_000_000, None), (large.as_str(), large_mib() << 20, Some(1 << 20))] {
        let began = Instant::now();
        let id = house.post_job(&json!({"script": script, "output_cap_bytes": cap}));
        let limit = Duration::from_secs(60 + bytes / 4_000_000);
        let ended = || house.job(&id)["status"] == "finished";
        await_within(limit, &format!("{bytes} bytes are here"), ended, || house.job(&id).to_string());
        let job = house.job(&id);
        let told = (&job["state"], &job["log_bytes"], &job["truncated"]);
        assert_eq!(told, (&"succeeded".into(), &bytes.into(), &false.into()), "{job}");
        assert_eq!(job["elided_bytes"], cap.map_or(0, |cap: u64| bytes - cap), "{job}");
        if cap.is_none() {
            let printed = house.shunt(&["logs", &id]).stdout;
            assert!(printed.len() as u64 == bytes && printed.iter().all(|byte| *byte == b'x'));
        }
        let grown = house.memory_kib("VmHWM").saturating_sub(before);
        eprintln!(
            "{} MB in {:.1?}: {} MiB more than {}",
            bytes / 1_000_000,
            began.elapsed(),
            grown >> 10,
            before >> 10
        );
        assert!(grown <= MAX_GROWTH_KIB, "{bytes} bytes of output: {grown} KiB more than before");
    }
}

/// A listener of a job's output that never reads.
fn deaf(house: &House, id: &str) -> TcpStream {
    let mut socket = TcpStream::connect(house.address()).expect("the API");
    let path = format!("/api/v0/e/default/jobs/{id}/log/streaming");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", house.token()).expect("sent");
    socket
}

#[test]
fn neither_a_flood_nor_a_reader_that_does_not_read_holds_up_another_job() {
    let host = host("u1", UBUNTU_2204);
    let (house, before) = warm(&host, 2);
    // At first more than comes through, over the same connection as the other job's lines.
    let flood = "head -c 200000000 /dev/zero; while :; do head -c 10000000 /dev/zero; sleep 0.2; done";
    let flood = house.post_job(&json!({"script": flood, "output_cap_bytes": 1 << 20}));
    let _deaf: Vec<TcpStream> = (0..5).map(|_| deaf(&house, &flood)).collect();
    let script = "for n in 1 2 3; do until [ -e ~/ping$n ]; do sleep 0.02; done; echo pong $n; done";
    let lines = house.begin(&["run", "--", "sh", "-c", script]);
    let grown = || house.job(&flood)["log_bytes"].as_u64().unwrap();
    super::house::await_that("the flood is under way", || grown() > 20_000_000, || house.log());
    let (mut slowest, mut earlier) = (Duration::ZERO, 0);
    for n in 1..=3 {
        super::house::await_that("the flood goes on", || grown() > earlier, || house.log());
        earlier = grown();
        let asked = Instant::now();
        host.run_inside(&format!("touch ~deploy/ping{n}"));
        lines.await_output(&format!("pong {n}\n"));
        slowest = slowest.max(asked.elapsed());
    }
    let flooding = house.job(&flood);
    lines.end().expect(0, &["succeeded"]);
    assert_eq!(flooding["state"], "running", "{flooding}");
    let grown = house.memory_kib("VmHWM").saturating_sub(before);
    eprintln!("the slowest line beside a flood came after {slowest:.1?}; {} MiB more memory", grown >> 10);
    assert!(grown <= MAX_GROWTH_KIB, "{grown} KiB more than before");
}
