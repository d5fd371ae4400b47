//! `shunt jobs`, `logs`, `explain`, and the order and number of jobs that run.

use std::collections::BTreeSet;

use super::house::{BLOCKER, House, await_that, host, truth};
use crate::support::sshd::{CENTOS_7, UBUNTU_2204};

#[test]
fn another_client_follows_a_running_job_and_gets_the_same_bytes() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = "head -c 300000 /dev/urandom | tee ~/truth.bin; touch ~/half; until [ -e ~/go ]; do sleep 0.05; done\n\
        head -c 300000 /dev/urandom | tee -a ~/truth.bin";
    let run = house.begin(&["run", "--quiet", "--", "sh", "-c", script]);
    await_that("half is written", || host.path("home/deploy/half").exists(), || house.log());
    let id = house.api("jobs")[0]["id"].as_str().unwrap().to_owned();
    let other = house.begin(&["logs", "-f", &id]);
    await_that("the other client has half", || other.stdout().len() >= 300_000, || house.log());
    house.await_state(&id, &["running"]);
    host.run_inside("touch /home/deploy/go");
    let (run, other) = (run.end(), other.end());
    let written = std::fs::read(host.path("home/deploy/truth.bin")).unwrap();
    assert_eq!((run.code, other.code, written.len()), (0, 0, 600_000));
    assert!(run.stdout == written && other.stdout == written, "{} and {}", run.stdout.len(), other.stdout.len());
}

#[test]
fn explain_names_what_keeps_a_job_waiting() {
    let (ubuntu, centos) = (host("u1", UBUNTU_2204), host("c1", CENTOS_7));
    let house = House::with(&[(&ubuntu, 1), (&centos, 1)]);
    let blocker = house.submit(&["--filter", "platform=ubuntu"], BLOCKER);
    house.await_state(&blocker, &["running"]);

    let never = house.submit(&["--filter", "platform=plan9"], "true");
    house.shunt(&["explain", &never]).expect(0, &["never: no runner in the inventory can match", "plan9", "u1", "c1"]);

    let busy = house.submit(&["--filter", "platform=ubuntu"], "true");
    house.shunt(&["explain", &busy]).expect(0, &["the only matching runner is busy", &format!("busy with {blocker}")]);
    let behind = house.submit(&["--filter", "platform=ubuntu"], "true");
    house.shunt(&["explain", &behind]).expect(0, &["not now", "position: 2", "1 ahead"]);

    centos.kill_sshd();
    house.await_contact(&centos, "unreachable");
    let unreachable = house.submit(&["--filter", "platform=centos"], "echo back on $(uname -n)");
    house.shunt(&["explain", &unreachable]).expect(0, &["the only matching runner is unreachable", "c1: unreachable"]);
    assert_eq!(house.job(&unreachable)["state"], "queued");
    centos.restart();
    assert_eq!(house.await_end(&unreachable)["state"], "succeeded");
    assert_eq!(house.shunt(&["logs", &unreachable]).text(), "back on c1\n");

    house.shunt(&["explain", &blocker]).expect(0, &["does not wait: it is running on u1"]);
}

#[test]
fn jobs_lists_unfinished_ones_history_and_json() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let done = house.submit(&["--title", "first"], "exit 5");
    house.await_end(&done);
    let running = house.submit(&["--title", "second"], BLOCKER);
    house.await_state(&running, &["running"]);
    let queued = house.submit(&["--title", "third"], "true");

    let ran = house.shunt(&["jobs"]);
    ran.expect(0, &["STATE", &running, "running", "second", "u1", &queued, "queued"]);
    assert!(!ran.text().contains(&done), "{}", ran.text());
    house.shunt(&["jobs", "--all"]).expect(0, &[&done, "failed", "5", &running, &queued]);
    let failed = house.shunt(&["jobs", "--state", "failed", "--runner", "u1"]);
    assert!(failed.text().contains(&done) && !failed.text().contains(&running), "{}", failed.text());
    let json: serde_json::Value = serde_json::from_slice(&house.shunt(&["jobs", "--json"]).stdout).unwrap();
    let ids: BTreeSet<&str> = json.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, BTreeSet::from([running.as_str(), queued.as_str()]));
    // The end of an id is enough; the beginning is the time, which they share.
    house.shunt(&["jobs", &done[done.len() - 12..]]).expect(0, &[&done, "failed"]);
    house.shunt(&["jobs", &done[..4]]).expect(2, &["3 jobs have an id that begins"]);
    house.shunt(&["logs", "01890000-0000-7000-8000-000000000001"]).expect(1, &["error"]);
}

#[test]
fn a_slot_takes_jobs_in_the_order_of_their_submission_and_priority_goes_first() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let blocker = house.submit(&[], BLOCKER);
    house.await_state(&blocker, &["running"]);
    let mut last = String::new();
    for n in 1..=8 {
        let priority = if n == 6 { "1" } else { "0" };
        last = house.submit(&["--priority", priority], &format!("echo {n} >>~/order"));
    }
    // Nobody can take it: it must not block those behind it.
    house.submit(&["--priority", "9", "--filter", "platform=plan9"], "true");
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&last)["state"], "succeeded");
    assert_eq!(truth(&host, "order"), "6\n1\n2\n3\n4\n5\n7\n8\n");
}

#[test]
fn forty_jobs_over_two_hosts_run_once_each_and_never_more_than_there_are_slots() {
    let (ubuntu, centos) = (host("u1", UBUNTU_2204), host("c1", CENTOS_7));
    let house = House::with(&[(&ubuntu, 3), (&centos, 2)]);
    let dir = tempfile::tempdir().unwrap();
    let rows = vec![serde_json::json!({"os": ["linux"]}); 40];
    // The first ones wait for each other until all slots are taken; later ones only count.
    let script = "case $SHUNT_RUNNER in u1) slots=3;; *) slots=2;; esac\n\
        mkdir -p ~/now; touch ~/now/$SHUNT_MATRIX_ROW; now=$(ls ~/now | wc -l); echo $now >>~/seen\n\
        [ $now -lt $slots ] || touch ~/full; until [ -e ~/full ]; do sleep 0.05; done\n\
        echo $SHUNT_MATRIX_ROW >>~/starts; rm ~/now/$SHUNT_MATRIX_ROW";
    let config = serde_json::json!({
        "job_dispatch": {"version": "v2", "filters": {"unit": rows}}, "phases": {"unit": {"run": script}},
    });
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let ran = house.shunt(&["run", "--phase", "unit", "--project", dir.path().to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (host, slots) in [(&ubuntu, 3), (&centos, 2)] {
        let most = truth(host, "seen").lines().map(|line| line.trim().parse::<u32>().unwrap()).max();
        assert_eq!(most, Some(slots), "jobs at a time on {}", host.spec.hostname);
    }
    let starts = truth(&ubuntu, "starts") + &truth(&centos, "starts");
    let mut rows: Vec<u32> = starts.lines().map(|line| line.parse().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_long_queue_is_listed_to_its_limit_says_that_there_is_more_and_never_hides_what_runs() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let running = house.submit(&[], BLOCKER);
    house.await_state(&running, &["running"]);
    let config = serde_json::json!({
        "job_dispatch": {"version": "v2", "filters": {"unit": vec![serde_json::json!({}); 500]}},
        "phases": {"unit": {"run": "true"}},
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let detached = house.shunt(&["run", "--detach", "--phase", "unit", "--project", dir.path().to_str().unwrap()]);
    let newest = detached.text().lines().last().expect("500 ids").to_owned();

    for words in [&["jobs"][..], &["jobs", "--all"]] {
        let ran = house.shunt(words);
        ran.expect(0, &[&running, &newest, "there are more than these 100", "--limit N", "up to 10000"]);
        assert_eq!(ran.text().lines().count(), 101, "{}", ran.text());
        assert!(ran.text().lines().nth(1).is_some_and(|row| row.starts_with(&running)), "{}", ran.text());
    }
    let ids = |words: &[&str]| -> BTreeSet<String> {
        let jobs: serde_json::Value = serde_json::from_slice(&house.shunt(words).stdout).unwrap();
        jobs.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["jobs", "--json", "--limit", "7"]).len(), 7);
    // Two pages of the server's.
    let all: BTreeSet<String> = detached.text().lines().map(str::to_owned).chain([running.clone()]).collect();
    assert_eq!(ids(&["jobs", "--json", "--limit", "10000"]), all);
    let ran = house.shunt(&["jobs", "--limit", "501"]);
    assert!(!ran.stderr.contains("there are more"), "{}", ran.stderr);
    house.shunt(&["jobs", "--state", "queued", "--limit", "500"]).expect(0, &[&newest]);
}
