//! A runner whose disk fills up under its jobs.

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn a_job_that_ignores_a_full_disk_fails_and_says_why() {
    let host = host("u1", UBUNTU_2204);
    // The base directory gets a disk of its own, with room for the wrapper and little more.
    host.run_inside(
        "mkdir -p /home/deploy/.cache && mount -t tmpfs -o size=20m tmpfs /home/deploy/.cache && \
         chown deploy: /home/deploy/.cache && chmod 700 /home/deploy/.cache",
    );
    let house = House::with(&[(&host, 1)]);
    assert!(house.api("runners/u1")["base_dir"].as_str().unwrap().contains("/.cache/"));
    house.shunt(&["run", "--", "true"]).expect(0, &["succeeded"]);
    let cut = house.shunt(&["run", "--", "sh", "-c", "head -c 40000000 /dev/zero 2>/dev/null; true"]);
    cut.expect(1, &["failed", "disk full"]);
    let job = &house.api("jobs?state=failed")[0];
    assert_eq!((&job["exit_code"], &job["stop_reason"]), (&0.into(), &"disk_full".into()), "{job}");
    // What the disk took is all there.
    let stored = job["log_bytes"].as_u64().unwrap();
    assert!(stored > 0 && stored < 20 << 20 && stored == cut.stdout.len() as u64 && job["truncated"] == false, "{job}");
    house.await_empty_spool(&host);
    house.shunt(&["run", "--", "true"]).expect(0, &["succeeded"]);
}
