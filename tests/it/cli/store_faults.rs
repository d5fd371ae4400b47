//! A store that refuses for a while: jobs go on by themselves when it is back, and no slot is lost or given twice.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};

use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::UBUNTU_2204;

/// A second connection to the dispatcher's database.
pub fn database(house: &House) -> SqliteConnection {
    let path = house.home().join("share/shuntyard/shuntyard.db");
    let mut c = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database");
    c.batch_execute("PRAGMA busy_timeout = 10000").expect("patience");
    c
}

/// Takes a job back to the moment before the dispatcher stored that the host had said `ok`.
pub fn forget_started(house: &House, id: &str) {
    let undo = format!(
        "DELETE FROM job_events WHERE job_id = '{id}' AND kind = 'started'; UPDATE jobs SET state = 'starting', \
         started_at_ms = NULL, version = version - 1 WHERE id = '{id}' AND state = 'running'"
    );
    database(house).batch_execute(&undo).expect("an earlier state");
}

/// From here on the store refuses every event of this kind.
fn refuse(house: &House, kind: &str) {
    refuse_statement(house, &format!("BEFORE INSERT ON job_events WHEN NEW.kind = '{kind}'"));
}

/// From here on the store refuses statements of this kind, written as SQLite's triggers name them.
pub fn refuse_statement(house: &House, when: &str) {
    let trigger = format!("CREATE TRIGGER fault {when} BEGIN SELECT RAISE(ABORT, 'planted fault'); END");
    database(house).batch_execute(&trigger).expect("a trigger");
}

pub fn allow(house: &House) {
    database(house).batch_execute("DROP TRIGGER fault").expect("no trigger");
}

/// Sends a request and hangs up while the store makes the dispatcher wait; the write then goes on without a caller.
fn hang_up(house: &House, method: &str, path: &str, body: &str) {
    let mut c = database(house);
    c.batch_execute("BEGIN IMMEDIATE").expect("the write lock");
    let token = std::fs::read_to_string(house.home().join("share/shuntyard/admin.token")).expect("the token");
    let mut stream = TcpStream::connect(house.address()).expect("the API");
    let (token, length) = (token.trim(), body.len());
    write!(
        stream,
        "{method} /api/v0/e/default/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("a request");
    // Long enough for the request to reach the store; a shorter one only makes the test weaker.
    std::thread::sleep(Duration::from_millis(400));
    drop(stream);
    std::thread::sleep(Duration::from_millis(200));
    c.batch_execute("COMMIT").expect("the lock is given back");
}

#[test]
fn a_job_whose_start_started_or_end_could_not_be_stored_goes_on_when_the_store_is_back() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let faults = || house.log().matches("planted fault").count();
    for kind in ["start_intended", "started", "exited"] {
        refuse(&house, kind);
        let before = faults();
        let job = house.submit(&[], &format!("echo ran >>~/{kind}"));
        await_that("the fault is met", || faults() > before, || house.log());
        let behind = house.submit(&[], "true");
        await_that("the fault is met three times more", || faults() > before + 3, || house.log());
        assert_eq!(house.job(&behind)["state"], "queued", "{kind}: the one slot is given twice\n{}", house.log());
        allow(&house);
        let job = house.await_end(&job);
        assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{kind}");
        assert!(job["started_at"].is_string(), "{kind}: {job}");
        assert_eq!(house.await_end(&behind)["state"], "succeeded", "{kind}");
        assert_eq!(truth(&host, kind), "ran\n", "it ran exactly once");
    }
}

#[test]
fn a_proof_of_no_start_that_could_not_be_stored_is_stored_later_and_the_job_runs_then() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = house.api("runners/u1")["base_dir"].as_str().expect("a base").to_owned();
    refuse(&house, "never_started");
    host.run_inside(&format!("chmod 500 {base}/c"));
    let job = house.submit(&[], "echo ran >>~/ran");
    await_that("the fault is met", || house.log().contains("planted fault"), || house.log());
    host.run_inside(&format!("chmod 700 {base}/c"));
    allow(&house);
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(truth(&host, "ran"), "ran\n");
}

#[test]
fn a_submission_whose_client_hangs_up_runs_without_a_restart() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    hang_up(&house, "POST", "jobs", r#"{"script":"echo ran >>~/ran"}"#);
    await_that("the job is stored", || house.api("jobs?state=all").as_array().unwrap().len() == 1, || house.log());
    let id = house.api("jobs?state=all")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(house.await_end(&id)["state"], "succeeded");
}

#[test]
fn a_cancel_whose_client_hangs_up_stops_the_job() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up >~/up; sleep 300");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    hang_up(&house, "DELETE", &format!("jobs/{id}"), "");
    assert_eq!(house.await_end(&id)["state"], "cancelled");
}

#[test]
fn a_cancel_of_which_nobody_was_told_is_delivered_when_it_is_asked_for_again() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up >~/up; sleep 300");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    // As after a commit of which the dispatcher heard an error, and which was written nevertheless.
    let mark = format!(
        "UPDATE jobs SET cancel_at_ms = created_at_ms, cancel_by = 'ada', cancel_reason = 'user', \
         version = version + 1 WHERE id = '{id}' AND state = 'running'"
    );
    database(&house).batch_execute(&mark).expect("a stored mark");
    house.shunt(&["cancel", &id]).expect(0, &[]);
    assert_eq!(house.await_end(&id)["state"], "cancelled");
}
