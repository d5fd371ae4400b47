//! What a dispatcher says about itself: `/metrics`, `/readyz`, and what it tells systemd.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;

use super::house::{House, await_that};
use super::store_faults::database;
use crate::api::http::{Answer, request};

const LOCAL: (&str, &str) = ("SHUNTD_LOCAL_ENABLED", "true");

fn get(house: &House, path: &str, token: Option<&str>) -> Answer {
    request(house.address(), "GET", path, token, None)
}

#[test]
fn metrics_count_jobs_runners_requests_and_commits_and_are_for_those_with_a_token() {
    let house = House::start_set("", &[LOCAL]);
    house.shunt(&["run", "--", "echo", "out"]).expect(0, &[]);
    assert_eq!(house.shunt(&["run", "--", "false"]).code, 1);
    house.submit(&["--filter", "platform=plan9"], "true");
    assert_eq!(get(&house, "/metrics", None).status, 401);
    let token = house.token();
    assert_eq!(get(&house, "/api/v0/e/default/no/such/path", Some(&token)).status, 404);
    let answer = get(&house, "/metrics", Some(&token));
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
    let text = String::from_utf8(answer.body).expect("text");
    for line in [
        "shuntyard_job_ends_total{outcome=\"succeeded\"} 1",
        "shuntyard_job_ends_total{outcome=\"failed\"} 1",
        "shuntyard_placements_total 2",
        "shuntyard_job_wait_seconds_count 2",
        "shuntyard_jobs{state=\"queued\"} 1",
        "shuntyard_jobs{state=\"running\"} 0",
        "shuntyard_runners{state=\"enrolled\"} 1",
        "shuntyard_runner_contacts{contact=\"connected\"} 1",
        "shuntyard_runner_slots 1",
        "shuntyard_ssh_connections 1",
        "shuntyard_log_bytes_total 4",
        "shuntyard_store_commit_seconds_bucket{le=\"+Inf\"} ",
        "shuntyard_store_errors_total 0",
        "shuntyard_http_requests_total{method=\"POST\",route=\"/api/v0/e/{enterprise}/jobs\",status=\"201\"} 3",
        "shuntyard_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "process_resident_memory_bytes ",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("plan9") && !text.contains(&token), "labels are closed sets:\n{text}");
}

#[test]
fn metrics_are_open_when_the_configuration_says_so() {
    let house = House::start_set("", &[("SHUNTD_METRICS_OPEN", "true")]);
    assert_eq!(get(&house, "/metrics", None).status, 200);
}

#[test]
fn a_dispatcher_whose_database_does_not_answer_lives_and_is_not_ready() {
    let house = House::start();
    assert_eq!(get(&house, "/readyz", None).status, 200);
    let mut other = database(&house);
    other.batch_execute("BEGIN IMMEDIATE").expect("the write lock");
    let refused = get(&house, "/readyz", None);
    assert_eq!((refused.status, &refused.json()["error"]), (503, &"not_ready".into()));
    assert_eq!(get(&house, "/healthz", None).status, 200);
    other.batch_execute("ROLLBACK").expect("the lock is let go");
    await_that("it is ready", || get(&house, "/readyz", None).status == 200, || house.log());
}

/// What systemd would be told, one message after the other.
struct Told(UnixDatagram);

impl Told {
    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    fn await_word(&self, word: &str) {
        while !self.next().lines().any(|line| line == word) {}
    }
}

#[test]
fn systemd_is_told_of_ready_alive_and_stopping_in_this_order() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("notify");
    let told = Told(UnixDatagram::bind(&path).expect("a socket"));
    told.0.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
    let socket = path.to_str().expect("a path");
    let mut house = House::start_set("", &[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "600000")]);
    let first = told.next();
    assert!(first.contains("READY=1") && first.contains("STATUS=listens on 127.0.0.1:"), "{first}");
    told.await_word("WATCHDOG=1");
    told.await_word("WATCHDOG=1");
    // A writer that is stuck is no life: nothing is told while it is.
    let mut other = database(&house);
    other.batch_execute("BEGIN IMMEDIATE").expect("the write lock");
    let stuck = "the watchdog is told nothing";
    await_that("the watchdog notices", || house.log().contains(stuck), || house.log());
    other.batch_execute("ROLLBACK").expect("the lock is let go");
    told.await_word("WATCHDOG=1");
    assert!(house.terminate().success());
    told.await_word("STOPPING=1");
    told.0.set_nonblocking(true).expect("a socket");
    assert!(told.0.recv(&mut [0; 64]).is_err(), "nothing is told behind the stop");
}
