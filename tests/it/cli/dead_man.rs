//! `stop_after_disconnect_s`: the host stops the job alone when its dispatcher was lost, and not when it said `bye`.

use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// Names itself and ticks until `~/go` is there.
fn ticking(name: &str) -> String {
    format!("echo $$ >~/{name}.pid; until [ -e ~/go ]; do echo tick >>~/{name}; sleep 0.1; done; echo done >>~/{name}")
}

fn begin(house: &House, host: &TestHost, name: &str, patience: &str) -> String {
    let id = house.submit(&["--stop-after-disconnect", patience], &ticking(name));
    await_truth(host, name, "tick");
    house.await_state(&id, &["running"]);
    id
}

fn lives(host: &TestHost, name: &str) -> bool {
    host.exec_inside(&format!("kill -0 {}", truth(host, &format!("{name}.pid")).trim())).status.success()
}

fn await_death(host: &TestHost, name: &str) {
    await_that(&format!("{name} is stopped by its host"), || !lives(host, name), || truth(host, name));
}

fn await_more(host: &TestHost, name: &str) {
    let ticks = truth(host, name).len();
    await_that(&format!("{name} goes on"), || truth(host, name).len() > ticks + 10, || truth(host, name));
}

fn expect_orphaned(house: &House, id: &str) {
    let job = house.await_end(id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"orphaned".into()), "{job}");
    assert!(job["receipt"]["before"]["count"].as_u64() >= Some(1), "{job}");
    assert_eq!(job["receipt"]["left"]["count"], 0, "{job}");
    house.shunt(&["jobs", id]).expect(0, &["cancelled", "stopped: ", "nothing is left"]);
}

#[test]
fn a_killed_dispatcher_leaves_only_the_jobs_that_may_live_without_one() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 4)]);
    let at_once = begin(&house, &host, "at_once", "0");
    let soon = begin(&house, &host, "soon", "1");
    let patient = begin(&house, &host, "patient", "1h");
    let never = house.submit(&[], &ticking("never"));
    await_truth(&host, "never", "tick");
    house.kill();
    await_death(&host, "at_once");
    await_death(&host, "soon");
    assert!(lives(&host, "patient") && lives(&host, "never"));
    house.start_again();
    expect_orphaned(&house, &at_once);
    expect_orphaned(&house, &soon);
    host.run_inside("touch /home/deploy/go");
    for id in [patient, never] {
        let job = house.await_end(&id);
        assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{job}");
    }
    assert_eq!(house.job(&soon)["stop_after_disconnect_s"], 1);
    house.await_empty_spool(&host);
}

#[test]
fn a_planned_restart_is_no_loss_of_the_dispatcher() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 2)]);
    let ids = [begin(&house, &host, "at_once", "0"), begin(&house, &host, "soon", "1")];
    for _ in 0..2 {
        assert!(house.terminate().success());
        // Longer than `soon` would live after a loss.
        host.run_inside("sleep 1.5");
        await_more(&host, "at_once");
        await_more(&host, "soon");
        house.start_again();
        for id in &ids {
            house.await_state(id, &["running"]);
        }
    }
    host.run_inside("touch /home/deploy/go");
    for id in &ids {
        assert_eq!(house.await_end(id)["state"], "succeeded");
    }
}

#[test]
fn a_cut_link_stops_the_job_and_the_dispatcher_learns_it_from_the_host() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let soon = begin(&house, &host, "soon", "1");
    let patient = begin(&house, &host, "patient", "600");
    host.kill_sshd();
    await_death(&host, "soon");
    house.await_contact(&host, "unreachable");
    assert_eq!(house.job(&soon)["state"], "running", "silence is no evidence");
    assert!(lives(&host, "patient"));
    host.restart();
    expect_orphaned(&house, &soon);
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&patient)["state"], "succeeded");
}

#[test]
fn bad_patience_is_refused_with_its_path_and_what_is_allowed() {
    let house = House::start();
    for (words, said) in [
        (&["--stop-after-disconnect", "never"][..], "`never` is not a duration"),
        (&["--stop-after-disconnect=-1"], "`-1` is not a duration"),
    ] {
        house.shunt(&[&["run"], words, &["--", "true"]].concat()).expect(2, &[said]);
    }
    let post = |body: &str, said: &[&str]| house.shunt(&["api", "post", "jobs", "-d", body]).expect(1, said);
    post(
        r#"{"script":"true","stop_after_disconnect_s":2592001}"#,
        &["stop_after_disconnect_s", "0 to 2592000 seconds"],
    );
    post(r#"{"script":"true","stop_after_disconnect_s":-1}"#, &["stop_after_disconnect_s"]);
    post(r#"{"script":"true","retry":{"on_lost":"yes"}}"#, &["retry.on_lost"]);
    post(r#"{"script":"true","retry":{"onlost":true}}"#, &["onlost", "on_lost"]);
    post(r#"{"script":"true","retry":true}"#, &["retry"]);
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}
