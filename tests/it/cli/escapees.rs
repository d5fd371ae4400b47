//! Every way out of a job's group, against every means to find it: receipts are checked by what really lives.

use serde_json::Value;

use super::house::{House, await_that, host};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// One process a line and way out, each of which names itself in `~/pids`: its own session; two forks; a cleared
/// environment; stopped; TERM ignored; and at last all at once with the log closed, which only a cgroup finds.
const ESCAPEES: [&str; 6] = [
    "setsid sh -c 'echo $$ >>~/pids; exec sleep 1000' &",
    "(setsid sh -c 'sleep 1001 & echo $! >>~/pids' &)",
    "env -i PATH=\"$PATH\" p=$HOME/pids setsid sh -c 'echo $$ >>$p; exec sleep 1002' &",
    "setsid sh -c 'echo $$ >>~/pids; kill -STOP $$; exec sleep 1003' &",
    "setsid sh -c 'trap \"\" TERM; echo $$ >>~/pids; while :; do sleep 0.2; done' &",
    "env -i PATH=\"$PATH\" p=$HOME/pids setsid sh -c '(setsid sh -c '\\''echo $$ >>$p; exec sleep 1004'\\'' </dev/null >/dev/null 2>&1 &)'",
];

/// The mount point of the host's cgroups of version 2 below which root may make some that can be killed.
fn cgroup_mount(host: &TestHost) -> Option<String> {
    let probe = "for m in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ -e $m/cgroup.procs ] || continue; d=$m/shunt-probe-$$; \
                 mkdir $d && [ -w $d/cgroup.kill ] && echo $m; rmdir $d; done 2>/dev/null; :";
    let mount = host.run_inside(probe);
    if mount.is_empty() {
        eprintln!("no cgroup of version 2 that root may divide: only the other means are tested");
    }
    Some(mount).filter(|mount| !mount.is_empty())
}

fn named(host: &TestHost, home: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(host.path(&format!("{home}/pids"))).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Those of them that are not dead or zombies.
fn living(host: &TestHost, pids: &[u64]) -> String {
    let pids: String = pids.iter().map(|pid| format!("{pid} ")).collect();
    host.run_inside(&format!(
        "for p in {pids}; do grep -HE '^State:' /proc/$p/status 2>/dev/null | grep -v 'Z (' || :; done"
    ))
}

/// Cancels a job with these escapees; its receipt must name them all, by these means, and they must be gone.
fn expect_all_found(house: &House, host: &TestHost, home: &str, escapees: &[&str], means: &[&str]) {
    let runner = house.api("runners/u1");
    assert_eq!(runner["stop_means"], serde_json::json!(means), "{runner}");
    let script = format!("trap '' TERM; echo $$ >>~/pids\n{}\nwhile :; do sleep 1; done", escapees.join("\n"));
    let body = serde_json::json!({"script": script, "stop_grace_s": 1}).to_string();
    let ran = house.shunt(&["api", "post", "jobs", "-d", &body]);
    let id = serde_json::from_slice::<Value>(&ran.stdout).unwrap()["id"].as_str().unwrap().to_owned();
    let all = escapees.len() + 1;
    await_that("the tree stands", || named(host, home).len() >= all, || house.log());
    let pids = named(host, home);
    assert_eq!(living(host, &pids).lines().count(), all, "{}", living(host, &pids));
    house.shunt(&["cancel", &id]).expect(0, &[]);
    let job = house.await_end(&id);
    assert_eq!(living(host, &pids), "", "processes are left on the host: {job}");
    let receipt = &job["receipt"];
    assert_eq!((&job["stop_reason"], &receipt["means"]), (&"user".into(), &serde_json::json!(means)), "{job}");
    let before = receipt["before"]["pids"].as_array().unwrap();
    assert!(pids.iter().all(|pid| before.contains(&(*pid).into())), "{pids:?} in {receipt}");
    assert_eq!(receipt["left"]["count"], 0, "{receipt}");
    if means[0] == "cgroup" {
        let heard = receipt["signals"][0]["to"]["pids"].as_array().unwrap();
        assert!(pids.iter().all(|pid| heard.contains(&(*pid).into())), "TERM reached only {heard:?} of {pids:?}");
    }
    house.await_empty_spool(host);
}

const WITH_CGROUP: [&str; 5] = ["cgroup", "environment", "log", "session", "group"];

#[test]
fn the_system_mode_finds_every_escapee_by_the_cgroup_that_root_gave_it_also_after_a_boot() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    house.enrol_with_root(&host, 2);
    let home = "var/lib/shuntyard/home";
    let Some(mount) = cgroup_mount(&host) else {
        return expect_all_found(&house, &host, home, &ESCAPEES[..5], &WITH_CGROUP[1..]);
    };
    expect_all_found(&house, &host, home, &ESCAPEES, &WITH_CGROUP);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &["finds processes to stop by cgroup, environment"]);
    // A boot leaves nothing of the cgroups.
    let base = house.api("runners/u1")["base_dir"].as_str().unwrap().to_owned();
    let root = format!("{mount}/shuntyard-{}", host.run_inside(&format!("cat {base}/instance")));
    let gone = || host.exec_inside(&format!("rmdir {root}/* {root}; [ ! -e {root} ]")).status.success();
    await_that("the runner's cgroup is empty and removed", gone, || host.run_inside(&format!("ls {root} || :")));
    host.run_inside(&format!("rm -f /{home}/pids"));
    expect_all_found(&house, &host, home, &ESCAPEES, &WITH_CGROUP);
    // The account can start root's program only as it is meant to be.
    let enter = "/bin/sh /var/lib/shuntyard/enter-cgroup";
    let refused = host.exec_inside(&format!("su job_runner -c 'sudo -n {enter} x' </dev/null; SUDO_UID=0 {enter}"));
    assert!(!refused.status.success(), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("enter-cgroup: refused"), "{refused:?}");
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &[]);
    host.run_inside(&format!("[ ! -e {root} ] && [ ! -e /var/lib/shuntyard/enter-cgroup ]"));
}

#[test]
fn a_login_with_a_cgroup_of_its_own_finds_every_escapee_by_it() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    let Some(mount) = cgroup_mount(&host) else { return };
    // What a user manager or a container gives its user: a cgroup that belongs to it, and in which its sshd runs.
    let own = format!("{mount}/shunt-test-{}", host.port);
    host.run_inside(&format!(
        "mkdir {own}; chown deploy {own} {own}/cgroup.procs; pgrep -o -x sshd >{own}/cgroup.procs"
    ));
    house.enrol(&host, 1);
    expect_all_found(&house, &host, "home/deploy", &ESCAPEES, &WITH_CGROUP);
    drop(house);
    drop(host);
    let _ = std::fs::remove_dir(&own);
}

#[test]
fn a_login_without_a_cgroup_finds_all_but_the_last_escapee_by_the_other_means() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    expect_all_found(&house, &host, "home/deploy", &ESCAPEES[..5], &WITH_CGROUP[1..]);
}
