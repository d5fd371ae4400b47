//! What a host's answer proves about a job, and what it does not: no job runs twice, and none stays for ever.

use super::house::{House, await_that, await_truth, host, truth};
use crate::support::sshd::{TestHost, UBUNTU_2204};

fn base_dir(house: &House) -> String {
    house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned()
}

/// Makes the wrapper's function wait at its beginning until the file `go` is in the home directory of `deploy`.
fn hold(host: &TestHost, base: &str, function: &str) {
    let wait = "echo held >>/home/deploy/held; until [ -e /home/deploy/go ]; do sleep 0.05; done";
    host.run_inside(&format!("sed -i 's|^{function}() {{$|&\\n  {wait}|' {base}/wrapper-*; grep -q /home/deploy/held {base}/wrapper-*"));
}

fn go(host: &TestHost) {
    host.run_inside("touch /home/deploy/go");
}

#[test]
fn a_launcher_that_is_slow_to_start_does_not_make_its_job_run_twice() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    // The claim is made, and nothing else.
    hold(&host, &base_dir(&house), "prepare");
    let id = house.submit(&[], "echo x >>~/starts");
    await_truth(&host, "held", "held");
    host.restart();
    let refused = || house.log().contains("does not come to a start");
    await_that("the host says that the launcher is slow", refused, || house.log());
    go(&host);
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{job}\n{}", house.log());
    assert_eq!(truth(&host, "starts"), "x\n");
}
