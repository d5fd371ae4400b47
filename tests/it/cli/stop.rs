//! What goes on when the dispatcher does not.

use diesel::connection::SimpleConnection as _;

use super::house::{House, await_truth, host, truth};
use super::store_faults::database;
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

#[test]
fn an_upgraded_dispatcher_goes_on_with_the_wrapper_that_its_runners_have() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let runner = house.api("runners/u1");
    let (base, version) = (runner["base_dir"].as_str().unwrap(), runner["wrapper_version"].as_str().unwrap());
    let script = "echo x >>~/starts; until [ -e ~/go ]; do echo line | tee -a ~/truth; sleep 0.05; done";
    let id = house.submit(&[], script);
    await_truth(&host, "truth", "line\nline\n");
    assert!(house.terminate().success());
    // As if another version had installed it: the path is the record's, not what this program would choose.
    let other = "0123456789abcdef";
    host.run_inside(&format!("mv {base}/wrapper-{version} {base}/wrapper-{other}"));
    let renamed = format!("UPDATE runners SET installation = replace(installation, '{version}', '{other}')");
    database(&house).batch_execute(&renamed).expect("an older record");
    house.start_again();
    host.run_inside("touch /home/deploy/go");
    let job = house.await_end(&id);
    assert_eq!(
        (&job["state"], &job["truncated"], &job["attempt"]),
        (&"succeeded".into(), &false.into(), &1.into()),
        "{job}"
    );
    assert_eq!(truth(&host, "starts"), "x\n");
    assert_eq!(house.shunt(&["logs", &id]).text(), truth(&host, "truth"));
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}
