//! Queue, run and silence limits where the runner does not keep them itself.

use super::house::{House, await_truth, host};
use crate::support::sshd::UBUNTU_2204;

/// Kills what else its waiting process has started: the watchdog. Then hangs.
const WITHOUT_WATCHDOG: &str = "for p in $(ps -o pid= --ppid $PPID); do [ $p = $$ ] || kill -KILL $p; done; \
                                echo gone >>~/begun; sleep 600";

#[test]
fn a_job_that_waits_longer_than_its_queue_limit_expires_and_never_starts() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let waited = house.shunt(&["run", "--queue-limit", "1s", "--filter", "hostname=nobody", "--", "true"]);
    waited.expect(1, &["expired, queue limit"]);
    let blocker = house.submit(&[], "until [ -e ~/go ]; do sleep 0.05; done");
    house.await_state(&blocker, &["running"]);
    // Its time passes while no dispatcher is there; the slot is free when one comes back.
    let id = house.submit(&["--queue-limit", "1s"], "echo ran >>~/ran");
    house.kill();
    host.run_inside("touch ~deploy/go; sleep 1.2");
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["not_run_reason"]), (&"expired".into(), &"queue_limit".into()), "{job}");
    assert_eq!(job["queue_limit_s"], 1);
    house.shunt(&["run", "--queue-limit", "1h", "--", "test", "!", "-e", "ran"]).expect(0, &["succeeded"]);
}

#[test]
fn a_job_whose_runner_keeps_no_limit_is_stopped_by_the_dispatcher() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    // Long enough for the script to kill its watchdog first.
    let submit = |limit: &str| {
        let body = serde_json::json!({"script": WITHOUT_WATCHDOG, "stop_grace_s": 1, limit: 8}).to_string();
        let ran = house.shunt(&["api", "post", "jobs", "-d", &body]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let job: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        job["id"].as_str().unwrap().to_owned()
    };
    let jobs = [("run_limit", submit("run_limit_s")), ("silence_limit", submit("silence_limit_s"))];
    await_truth(&host, "begun", "gone\ngone\n");
    for (reason, id) in jobs {
        let job = house.await_end(&id);
        assert_eq!((&job["state"], &job["stop_reason"]), (&"timed_out".into(), &reason.into()), "{job}");
        assert!(house.log().contains(&format!("reason={reason}")), "the runner's watchdog was not dead");
    }
}
