//! Hosts that wait for a person.

use serde_json::json;

use super::{Line, enrol, make_token};
use crate::cli::enrolment::{expect_jobs_run, expect_untouched, only_runner, traces};
use crate::cli::house::{House, host};
use crate::support::sshd::CENTOS_7;

#[test]
fn a_host_that_has_to_be_approved_gets_no_job_before_it_is() {
    let host = host("h1", CENTOS_7);
    let mut house = House::start_set("", &[("SHUNTD_ENROLMENT_APPROVAL", "true")]);
    let before = traces(&host);
    let token = make_token(&house, &[]);
    let waits = "enrol: h1 is enrolled and waits for its approval: shunt ctl approve h1";
    enrol(&house, &host, &Line::new(&token, &[])).expect(0, &[waits]);
    assert_eq!(only_runner(&house)["state"], "pending");
    // It is turned down.
    house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(0, &["runner h1 is removed"]);
    expect_untouched(&house, &host, &before);

    let token = make_token(&house, &[]);
    enrol(&house, &host, &Line { user: "deploy", ..Line::new(&token, &[]) }).expect(0, &[waits]);
    let job = house.submit(&[], "id -un");
    house.terminate();
    house.start_again();
    let runner = only_runner(&house);
    assert_eq!((&runner["state"], &runner["health"]["status"]), (&json!("pending"), &json!("ok")), "{runner}");
    let patch = house.shunt(&["api", "patch", "runners/h1", "-d", "{\"state\":\"enrolled\"}"]);
    patch.expect(1, &["the runner waits for its approval"]);
    assert_eq!(house.job(&job)["state"], "queued");
    house.shunt(&["explain", &job]).expect(0, &["pending"]);

    house.shunt(&["ctl", "approve", "h1"]).expect(0, &["runner h1 is enrolled"]);
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    house.shunt(&["ctl", "approve", "h1"]).expect(1, &["the runner is enrolled: there is nothing to approve"]);
    house.shunt(&["ctl", "approve", "nobody"]).expect(1, &["there is no runner `nobody`"]);
    expect_jobs_run(&house, "deploy");
}
