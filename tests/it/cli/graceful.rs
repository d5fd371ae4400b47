//! SIGTERM under load: the dispatcher lets go at once, the next one goes on, and nobody can tell it from the logs.

use std::collections::BTreeMap;
use std::net::TcpStream;

use super::house::{House, await_that, host, truth};
use crate::support::sshd::UBUNTU_2204;

const JOBS: usize = 9;
const SLOTS: u32 = 3;

/// Every line is written down on the host as well, and so is every start.
const SCRIPT: &str = "echo x >>~/starts-$SHUNT_JOB_ID
for n in $(seq 150); do echo line $n | tee -a ~/truth-$SHUNT_JOB_ID; sleep 0.01; done";

#[test]
fn a_stop_under_load_loses_no_line_starts_nothing_twice_and_frees_the_port_for_the_next_dispatcher() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, SLOTS)]);
    let ids: Vec<String> = (0..JOBS).map(|_| house.submit(&[], SCRIPT)).collect();
    let begun = |id: &String| truth(&host, &format!("truth-{id}")).contains("line 20\n");
    await_that(
        "as many as may run at a time have begun",
        || ids.iter().filter(|id| begun(id)).count() >= 3,
        || house.log(),
    );
    // Streams that are open must not keep it from stopping.
    let followed = house.begin(&["logs", "--follow", &ids[0]]);
    followed.await_output("line 5\n");
    assert!(house.terminate().success(), "{}", house.log());
    assert!(TcpStream::connect(house.address()).is_err(), "the port is free");
    assert!(ids.iter().any(|id| truth(&host, &format!("truth-{id}")).is_empty()), "some wait in the queue");
    house.start_again();
    let ended: BTreeMap<&String, _> = ids.iter().map(|id| (id, house.await_end(id))).collect();
    for (id, job) in ended {
        assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{job}");
        assert_eq!(truth(&host, &format!("starts-{id}")), "x\n", "{job}");
        assert_eq!(house.shunt(&["logs", id]).text(), truth(&host, &format!("truth-{id}")));
    }
}
