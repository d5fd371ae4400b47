//! Cancelling: `shunt cancel` and Ctrl-C, checked by what still runs on the host.

use super::house::{BLOCKER, House, await_that, await_truth, host, living, truth};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn cancelling_a_queued_job_never_starts_it() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let first = house.submit(&[], BLOCKER);
    house.await_state(&first, &["running"]);
    let second = house.submit(&[], "touch ~/second");
    let third = house.submit(&[], "touch ~/third");
    house.shunt(&["cancel", &second]).expect(0, &["cancel requested"]);
    let job = house.await_end(&second);
    assert_eq!((&job["state"], &job["not_run_reason"]), (&"cancelled".into(), &"cancelled_while_queued".into()));
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&third)["state"], "succeeded");
    assert_eq!(house.await_end(&first)["state"], "succeeded");
    host.run_inside("test -e /home/deploy/third && test ! -e /home/deploy/second");
    // Again, and for a job that has ended: nothing changes.
    house.shunt(&["cancel", &second, &first]).expect(0, &["already: cancelled", "already: succeeded"]);
    assert_eq!(house.job(&first)["state"], "succeeded");
    house.shunt(&["cancel", "01890000-0000-7000-8000-000000000001"]).expect(1, &["error: job"]);
}

#[test]
fn cancelling_a_running_job_lets_its_term_handler_run() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script =
        "trap 'echo handled; echo handled >~/handled; exit 9' TERM; touch ~/begun; while :; do sleep 0.05 & wait; done";
    let id = house.submit(&[], script);
    house.await_state(&id, &["running"]);
    await_that("it has begun", || host.path("home/deploy/begun").exists(), || house.log());
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    assert_eq!(truth(&host, "handled"), "handled\n");
    assert_eq!(house.shunt(&["logs", &id]).text(), "handled\n");
}

#[test]
fn a_job_that_ignores_term_is_killed_after_its_grace_with_its_whole_tree() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = "trap '' TERM; echo $$ >>~/pids\n\
        sleep 1000 & echo $! >>~/pids\n\
        sleep 1001 & echo $! >>~/pids; kill -STOP $!\n\
        setsid sh -c 'echo $$ >>~/pids; exec sleep 1002' &\n\
        (setsid sh -c 'sleep 1003 & echo $! >>~/pids' &)\n\
        until [ $(wc -l <~/pids) -ge 5 ]; do sleep 0.05; done; touch ~/begun; while :; do sleep 1; done";
    let id = house.submit_with(script, &serde_json::json!({"stop_grace_s": 1}));
    await_that("the tree stands", || host.path("home/deploy/begun").exists(), || truth(&host, "pids"));
    assert_eq!(living(&host).lines().count(), 5, "{}", living(&host));
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    assert_eq!(living(&host), "", "processes are left on the host");
    house.await_empty_spool(&host);
}

#[test]
fn ctrl_c_on_a_run_cancels_and_waits_for_the_end() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script =
        "trap 'echo handled; sleep 0.3; echo last words; exit 0' TERM; echo begun; while :; do sleep 0.05 & wait; done";
    let run = house.begin(&["run", "--", "sh", "-c", script]);
    run.await_output("begun");
    run.interrupt();
    let ran = run.end();
    ran.expect(130, &["cancelling the job", "cancelled"]);
    assert_eq!(ran.text(), "begun\nhandled\nlast words\n");
    assert_eq!(house.api("jobs"), serde_json::json!([]), "nothing is left unfinished");
}

#[test]
fn a_second_ctrl_c_leaves_the_job_to_the_server() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = "trap '' TERM; echo $$ >>~/pids; echo begun; until [ -e ~/go ]; do sleep 0.05; done; echo went on";
    let run = house.begin(&["run", "--", "sh", "-c", script]);
    run.await_output("begun");
    run.interrupt();
    run.await_note("Ctrl-C again to leave");
    run.interrupt();
    run.end().expect(130, &["shunt"]);
    // A job that ends before the cancel reaches its host keeps its own result.
    let reached = || host.exec_inside("ls /home/deploy/.cache/shuntyard/j/*/cancel").status.success();
    await_that("the cancel reaches the host", reached, || house.log());
    assert!(!living(&host).is_empty(), "the job's grace is not over yet");
    let id = house.api("jobs")[0]["id"].as_str().unwrap().to_owned();
    host.run_inside("touch /home/deploy/go");
    let job = house.await_end(&id);
    assert_eq!(job["state"], "cancelled", "{job}");
    assert_eq!(house.shunt(&["logs", &id]).text(), "begun\nwent on\n");
}

#[test]
fn a_cancel_reaches_a_job_that_started_before_the_dispatcher_was_killed() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo $$ >>~/pids; while :; do sleep 0.05; done");
    await_truth(&host, "pids", "\n");
    house.kill();
    house.start_again();
    house.shunt(&["cancel", &id]).expect(0, &[]);
    assert_eq!(house.await_end(&id)["state"], "cancelled");
    assert_eq!(living(&host), "");
}

#[test]
fn a_work_directory_that_a_job_made_unwritable_is_removed_nonetheless() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let locked = "mkdir -p a/b/c; touch a/b/c/file a/file; ln -s /etc a/b/link; chmod 400 a/b/c/file; chmod 000 a/b/c; \
        chmod 500 a/b a .";
    let ended = house.submit(&[], locked);
    assert_eq!(house.await_end(&ended)["state"], "succeeded");
    house.await_empty_spool(&host);

    let cancelled = house.submit(&[], &format!("{locked}; touch ~/locked; while :; do sleep 0.05; done"));
    await_that("its directory is locked", || host.path("home/deploy/locked").exists(), || house.log());
    house.shunt(&["cancel", &cancelled]).expect(0, &[]);
    assert_eq!(house.await_end(&cancelled)["state"], "cancelled");
    house.await_empty_spool(&host);
    host.run_inside("test -d /etc/ssh && test -w /etc/passwd");
}

#[test]
fn a_cancel_while_the_host_is_away_ends_the_job_when_the_host_confirms_and_not_before() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo $$ >>~/pids; while :; do sleep 0.05; done");
    await_truth(&host, "pids", "\n");
    house.await_state(&id, &["running"]);
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.shunt(&["cancel", &id]).expect(0, &["cancel requested"]);
    let job = house.job(&id);
    assert_eq!(job["state"], "running", "nobody has confirmed the stop: {job}");
    assert!(job["cancel_requested_at"].is_string() && !living(&host).is_empty(), "{job}");
    house.shunt(&["jobs"]).expect(0, &["running (cancelling)"]);
    host.restart();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    assert_eq!(living(&host), "");
    house.await_empty_spool(&host);
}

#[test]
fn ctrl_c_on_a_matrix_cancels_every_row() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let rows = serde_json::json!([{}, {"os": ["linux"]}, {"platform": ["ubuntu"]}]);
    let script = "echo $$ >>~/pids; echo begun; while :; do sleep 0.05; done";
    let config = serde_json::json!({
        "job_dispatch": {"version": "v2", "filters": {"unit": rows}}, "phases": {"unit": {"run": script}},
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let run = house.begin(&["run", "--phase", "unit", "--project", dir.path().to_str().unwrap()]);
    await_that("two rows run", || truth(&host, "pids").lines().count() == 2, || house.log());
    run.interrupt();
    run.end().expect(130, &["cancelled, user", "cancelled while queued"]);
    assert_eq!(house.api("jobs"), serde_json::json!([]));
    let ended = house.api("jobs?state=cancelled");
    assert_eq!(ended.as_array().map(Vec::len), Some(3), "{ended}");
    assert_eq!((living(&host).as_str(), truth(&host, "pids").lines().count()), ("", 2), "the third row has started");
}
