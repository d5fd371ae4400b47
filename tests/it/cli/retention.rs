//! Retention: the oldest end goes first, what is not finished stays, and what is gone is told so.

use diesel::connection::SimpleConnection as _;

use super::house::House;
use super::store_faults::database;
use crate::api::http::request;

const DAY_MS: i64 = 86_400_000;

/// Moves the end of a job into the past.
fn age(house: &House, id: &str, days: i64) {
    let ms = days * DAY_MS;
    let statement = format!(
        "UPDATE jobs SET created_at_ms = created_at_ms - {ms}, state_at_ms = state_at_ms - {ms}, \
         started_at_ms = started_at_ms - {ms}, finished_at_ms = finished_at_ms - {ms} WHERE id = '{id}'"
    );
    database(house).batch_execute(&statement).expect("an older job");
}

fn job_of(house: &House, script: &str) -> String {
    let id = house.submit(&[], script);
    assert_eq!(house.await_end(&id)["state"], "succeeded", "{}", house.log());
    id
}

#[test]
fn old_logs_go_are_answered_with_gone_and_younger_and_unfinished_jobs_keep_theirs() {
    let local = ("SHUNTD_LOCAL_ENABLED", "true");
    let bounds = [("SHUNTD_RETENTION_LOG_MAX_AGE_DAYS", "7"), ("SHUNTD_RETENTION_JOB_MAX_AGE_DAYS", "90"), local];
    let house = House::start_set("", &bounds);
    let (ancient, old, young) = (job_of(&house, "echo one"), job_of(&house, "echo two"), job_of(&house, "echo three"));
    age(&house, &ancient, 100);
    age(&house, &old, 10);
    house
        .shunt(&["retention", "plan"])
        .expect(0, &["logs       kept for 7 days; those of 2 jobs would go, 8 bytes", "1 job would go"]);
    assert_eq!(house.shunt(&["logs", &old]).text(), "two\n", "a plan removes nothing");
    house.shunt(&["retention", "apply"]).expect(0, &["those of 2 jobs are gone"]);
    let gone = house.shunt(&["logs", &old]);
    assert!(gone.code == 1 && gone.stderr.contains("was removed at"), "{}", gone.stderr);
    let path = format!("/api/v0/e/default/jobs/{old}/log");
    let answer = request(house.address(), "GET", &path, Some(&house.token()), None);
    assert_eq!((answer.status, &answer.json()["error"]), (410, &"removed".into()));
    assert_eq!(house.job(&old)["state"], "succeeded", "its record stays");
    assert_eq!(house.shunt(&["api", "get", &format!("jobs/{ancient}")]).code, 1, "its record is gone");
    assert_eq!(house.shunt(&["logs", &young]).text(), "three\n");
    let left: Vec<_> = walk(&house);
    assert_eq!(left.len(), 2, "the young job's log and its times: {left:?}");
    house.shunt(&["retention", "apply"]).expect(0, &["logs       kept for 7 days; those of 0 jobs are gone"]);
}

#[test]
fn a_bound_of_size_takes_the_oldest_logs_until_the_rest_fits_and_fan_outs_go_as_a_whole() {
    let local = ("SHUNTD_LOCAL_ENABLED", "true");
    let bounds = [("SHUNTD_RETENTION_LOG_MAX_MIB", "1"), ("SHUNTD_RETENTION_JOB_MAX_AGE_DAYS", "90"), local];
    let house = House::start_set("", &bounds);
    let big = "head -c 600000 /dev/zero | tr '\\0' x";
    let (first, second) = (job_of(&house, big), job_of(&house, big));
    house.shunt(&["run", "--all", "--", "true"]).expect(0, &[]);
    let fan_out = house.api("fan_outs")[0]["id"].as_str().expect("a fan-out").to_owned();
    let statement = format!(
        "UPDATE fan_outs SET finished_at_ms = finished_at_ms - {0}, created_at_ms = created_at_ms - {0}",
        100 * DAY_MS
    );
    database(&house).batch_execute(&statement).expect("an older fan-out");
    // The fan-out's job has no output.
    house
        .shunt(&["retention", "plan"])
        .expect(0, &["those of 1 job would go, 600000 bytes", "of 1 job would go, 0 bytes"]);
    house.shunt(&["retention", "apply"]).expect(0, &["those of 1 job are gone, 600000 bytes"]);
    let audited = house.shunt(&["audit", "--json"]).text();
    assert!(audited.contains("retention.apply") && audited.contains("fan_outs"), "{audited}");
    assert_eq!(house.shunt(&["logs", &first]).code, 1);
    assert_eq!(house.shunt(&["logs", &second]).stdout.len(), 600_000);
    assert_eq!(house.shunt(&["fan-out", "show", &fan_out]).code, 1);
    let jobs = house.api("jobs?state=finished");
    assert_eq!(jobs.as_array().map(Vec::len), Some(2), "{jobs}");
}

/// The names of all logs on disk.
fn walk(house: &House) -> Vec<String> {
    let shelves = std::fs::read_dir(house.data_dir().join("logs")).expect("the logs");
    let files = shelves.flat_map(|shelf| std::fs::read_dir(shelf.expect("a shelf").path()).expect("a directory"));
    files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect()
}
