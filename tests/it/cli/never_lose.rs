//! Rare moments in which a job could be lost, run twice, or be called lost without proof.

use serde_json::Value;

use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

fn base_dir(house: &House) -> String {
    house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned()
}

fn events(house: &House, id: &str) -> Vec<String> {
    let events = house.api(&format!("jobs/{id}/events"));
    events.as_array().expect("a list").iter().map(|e| e["event"].as_str().unwrap_or_default().to_owned()).collect()
}

fn await_event(house: &House, id: &str, event: &str, times: usize) {
    let count = || events(house, id).iter().filter(|e| *e == event).count();
    await_that(&format!("{times} times {event}"), || count() >= times, || format!("{:?}", events(house, id)));
}

/// A host that refuses every start with proof, until it is opened.
fn close(host: &TestHost, base: &str) {
    host.run_inside(&format!("chmod 500 {base}/c"));
}

fn open(host: &TestHost, base: &str) {
    host.run_inside(&format!("chmod 700 {base}/c"));
}

/// Ends the runner's connections, not its jobs.
fn cut(host: &TestHost) {
    host.run_inside("pkill -KILL -f '^sshd[^ ]*: deploy' || :");
}

#[test]
fn a_job_that_waits_for_its_next_placement_is_cancelled_at_once_and_never_starts() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    close(&host, &base);
    let id = house.submit(&[], "echo ran >>~/ran");
    await_event(&house, &id, "never_started", 1);
    let paused = || house.shunt(&["explain", &id]).text();
    await_that("the pause is explained", || paused().contains("the host refused: the claim cannot be made"), paused);
    await_event(&house, &id, "never_started", 2);
    house.shunt(&["cancel", &id]).expect(0, &[]);
    assert_eq!(house.await_end(&id)["state"], "cancelled");
    open(&host, &base);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    assert_eq!(truth(&host, "ran"), "");
}

#[test]
fn a_dispatcher_stops_at_once_while_a_job_waits_for_its_next_placement() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    close(&host, &base);
    let id = house.submit(&[], "echo ran >>~/ran");
    await_event(&house, &id, "never_started", 4);
    assert!(house.terminate().success());
    assert!(!house.log().contains("some tasks did not stop in time"), "{}", house.log());
    open(&host, &base);
    house.start_again();
    assert_eq!(house.await_end(&id)["state"], "succeeded");
    assert_eq!(truth(&host, "ran"), "ran\n");
}

#[test]
fn a_job_is_not_called_lost_while_its_base_directory_cannot_be_read() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    let id = house.submit(&[], "echo up >~/up; until [ -e ~/go ]; do sleep 0.1; done; echo done");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    host.run_inside(&format!("chmod 000 {base}/c"));
    let lines = house.log().matches("attaching again").count();
    cut(&host);
    await_that("four tries", || house.log().matches("attaching again").count() >= lines + 4, || house.log());
    assert_eq!(house.job(&id)["state"], "running");
    host.run_inside(&format!("chmod 700 {base}/c; touch /home/deploy/go"));
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{job}");
    assert_eq!(house.shunt(&["logs", &id]).text(), "done\n");
}

#[test]
fn a_lost_job_says_which_evidence_was_found() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    for (deed, evidence) in [
        ("rm -rf c/* j/* w/*", "spool_gone"),
        ("rm -rf j/* w/*", "spool_gone"),
        ("rm -rf c j w instance", "instance_changed"),
    ] {
        let id = house.submit(&[], "rm -f ~/up; echo up >~/up; sleep 300");
        await_truth(&host, "up", "up");
        house.await_state(&id, &["running"]);
        host.run_inside(&format!("cd {base} && {deed}; pkill -KILL -f 'sleep 30[0]' || :; rm -f /home/deploy/up"));
        cut(&host);
        let job = house.await_end(&id);
        assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &evidence.into()), "{deed}: {job}");
        assert_eq!(job["truncated"], Value::Bool(true), "{job}");
    }
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_job_whose_start_was_never_confirmed_is_not_run_again_after_its_base_directory_went() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    // The dispatcher dies between the host's `ok` and its own commit of `running`.
    let id = house.submit(&[], "echo ran >>~/ran; sleep 300");
    await_truth(&host, "ran", "ran");
    house.await_state(&id, &["running"]);
    house.kill();
    super::store_faults::forget_started(&house, &id);
    // The wrapper notes how its job ended meanwhile: what it has just written is removed the next time.
    host.run_inside(&format!(
        "pkill -KILL -f 'sleep 30[0]' || :; cd {base} && \
         n=0; until rm -rf c j w instance; do n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.05; done"
    ));
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"instance_changed".into()), "{job}");
    assert_eq!(truth(&host, "ran"), "ran\n", "it ran twice");
}

#[test]
fn a_forced_deletion_gives_its_jobs_up_and_their_tasks_end() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo up >~/up; sleep 300");
    await_truth(&host, "up", "up");
    house.await_state(&id, &["running"]);
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]).expect(0, &[]);
    assert_eq!(house.await_end(&id)["state"], "abandoned");
    let ended = || house.log().contains("the job was ended by somebody else");
    await_that("its task has let go", ended, || house.log());
    assert!(house.terminate().success());
}

#[test]
fn what_no_shell_can_carry_is_refused_at_submission_with_its_path() {
    let house = House::start();
    for (body, path) in [
        (r#"{"script":"true","env":{"UID":"1"}}"#, "env.UID"),
        (r#"{"script":"true","env":{"SHELLOPTS":"x"}}"#, "env.SHELLOPTS"),
        (r#"{"script":"true","env":{"shunt_x":"x"}}"#, "env.shunt_x"),
        (r#"{"script":"true","env":{"SHUNT_X":"x"}}"#, "env.SHUNT_X"),
        (r#"{"script":"true","env":{"A":"\u0000"}}"#, "env.A"),
        (r#"{"script":"true","project":"a\u0000b"}"#, "project"),
        (r#"{"script":"true","title":"a\u0000b"}"#, "title"),
    ] {
        house.shunt(&["api", "post", "jobs", "-d", body]).expect(1, &[path]);
    }
    let config = |phase: &str| {
        let config = format!(r#"{{"job_dispatch":{{"version":"v2"}},"phases":{{"unit":{phase}}}}}"#);
        serde_json::json!({"project": "p", "phase": "unit", "config": config}).to_string()
    };
    for (phase, path) in [
        (r#"{"run":"true","env":{"UID":"1"}}"#, "phases.unit.env.UID"),
        (r#"{"run":"a\u0000b"}"#, "phases.unit.run"),
        (r#"{"run":"true","env":{"A":"\u0000"}}"#, "phases.unit.env.A"),
    ] {
        house.shunt(&["api", "post", "phase_runs", "-d", &config(phase)]).expect(1, &[path]);
    }
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}
