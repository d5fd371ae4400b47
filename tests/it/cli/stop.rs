//! What goes on when the dispatcher does not.

use super::house::{House, await_truth, host, truth};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn a_killed_dispatcher_takes_its_job_up_again_with_a_complete_log_and_one_start() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let script = "echo x >>~/starts; for n in $(seq 400); do echo line $n | tee -a ~/truth; sleep 0.01; done";
    let id = house.submit(&[], script);
    await_truth(&host, "truth", "line 20\n");
    house.kill();
    await_truth(&host, "truth", "line 120\n");
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{job}");
    assert_eq!(truth(&host, "starts"), "x\n");
    assert_eq!(house.shunt(&["logs", &id]).text(), truth(&host, "truth"));
    // The channel that it was followed on takes no other start; the next job has one of its own.
    let next = house.submit(&[], "true");
    assert_eq!(house.await_end(&next)["attempt"], 1, "{}", house.log());
}

#[test]
fn a_terminated_dispatcher_stops_cleanly_and_a_deleted_runner_leaves_nothing_on_its_host() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    assert!(house.terminate().success());
    house.start_again();
    house.await_contact(&host, "connected");
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    let explained = house.submit(&["--filter", "platform=plan9"], "true");
    house.shunt(&["explain", &explained]).expect(0, &["plan9"]);
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &[]);
    host.run_inside("! grep -s job_runner@u1 /home/deploy/.ssh/authorized_keys && ! ls /home/deploy/.cache/shuntyard/wrapper-* 2>/dev/null");
}
