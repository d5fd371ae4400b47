//! Collections that a crash, a lost link or an older host interrupts.

use std::fs;

use super::{fetched, hold, listed};
use crate::cli::house::{House, await_truth, host, truth};
use crate::support::sshd::{DEBIAN_12, TestHost};

const KEEP: [&str; 4] = ["--artifacts", "small", "--artifacts", "large"];
const SCRIPT: &str = "echo run >>~/runs; echo small >small; head -c 3000000 /dev/urandom >large; cp large ~/truth; \
    echo a=1 >$SHUNT_OUTPUT; exit 4";

/// Lets the second piece of a large file wait.
fn hold_large(host: &TestHost) {
    hold(host, "dd", "case \"$*\" in *large*skip=1\\ *) ;; *) false ;; esac");
}

fn is_whole(house: &House, host: &TestHost, job: &str) {
    let body = house.await_end(job);
    assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &4.into()), "{body}");
    assert_eq!((&body["outputs"]["a"], body.get("artifacts_fault")), (&"1".into(), None), "{body}");
    assert_eq!(listed(house, job), ["large 3000000 644", "small 6 644"]);
    assert!(fetched(house, job, "large") == fs::read(host.path("home/deploy/truth")).unwrap());
    assert_eq!(truth(host, "runs"), "run\n", "it ran once");
    house.await_empty_spool(host);
}

#[test]
fn a_dispatcher_killed_while_it_collects_begins_again_and_loses_nothing() {
    let host = host("u1", DEBIAN_12);
    let mut house = House::with(&[(&host, 1)]);
    hold_large(&host);
    let job = house.submit(&KEEP, SCRIPT);
    await_truth(&host, "begun", "begun\n");
    house.await_state(&job, &["running"]);
    house.kill();
    house.start_again();
    await_truth(&host, "begun", "begun\nbegun\n");
    // A stop that is planned lets go as well.
    house.terminate();
    host.run_inside("touch /home/deploy/go");
    house.start_again();
    is_whole(&house, &host, &job);
}

#[test]
fn a_link_that_is_lost_while_files_come_is_made_again() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    hold_large(&host);
    let job = house.submit(&KEEP, SCRIPT);
    await_truth(&host, "begun", "begun\n");
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.await_state(&job, &["running"]);
    host.restart();
    await_truth(&host, "begun", "begun\nbegun\n");
    host.run_inside("touch /home/deploy/go");
    is_whole(&house, &host, &job);
}

#[test]
fn a_cancel_while_files_come_ends_the_job_with_what_there_is() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    hold_large(&host);
    let job = house.submit(&KEEP, SCRIPT);
    await_truth(&host, "begun", "begun\n");
    house.shunt(&["cancel", &job]).expect(0, &[]);
    let body = house.await_end(&job);
    let fault = body["artifacts_fault"].as_str().unwrap_or_default();
    assert!(fault.contains("cancelled while its files were fetched"), "{body}");
    assert_eq!(body["outputs"]["a"], "1", "{body}");
    assert!(listed(&house, &job).iter().all(|file| file == "small 6 644"), "{body}");
    host.run_inside("touch /home/deploy/go");
}

#[test]
fn outputs_do_not_wait_behind_the_files_of_others() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 5)]);
    hold_large(&host);
    let others: Vec<String> = (0..4).map(|_| house.submit(&KEEP, SCRIPT)).collect();
    await_truth(&host, "begun", &"begun\n".repeat(4));
    let body = house.await_end(&house.submit(&[], "echo b=2 >$SHUNT_OUTPUT"));
    assert_eq!((&body["state"], &body["outputs"]["b"]), (&"succeeded".into(), &"2".into()), "{body}");
    host.run_inside("touch /home/deploy/go");
    for job in others {
        assert_eq!(house.await_end(&job)["artifacts"], 2);
    }
}

#[test]
fn an_older_wrapper_says_nothing_of_files_and_its_jobs_keep_their_results() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let wrapper = house.api("runners/u1")["wrapper_version"].as_str().unwrap().to_owned();
    let base = house.api("runners/u1")["base_dir"].as_str().unwrap().to_owned();
    host.run_inside(&format!("sed -i 's/^  get)$/  not-yet)/; s/^  fence | get)$/  fence)/' {base}/wrapper-{wrapper}"));
    let body = house.await_end(&house.submit(&KEEP, SCRIPT));
    assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &4.into()), "{body}");
    let fault = body["artifacts_fault"].as_str().unwrap_or_default();
    assert!(fault.contains("install-runner"), "{body}");
}

#[test]
fn files_that_are_gone_from_the_host_are_told() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let body = house.await_end(&house.submit(&KEEP, "cd /; rm -rf \"$OLDPWD\"; exit 4"));
    assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &4.into()), "{body}");
    let fault = body["artifacts_fault"].as_str().unwrap_or_default();
    assert!(fault.contains("work directory is gone"), "{body}");
}
