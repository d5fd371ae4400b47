//! Files that jobs start in: brought along, delivered once, changed by a difference, and nobody else's to change.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::client::{Client, Ran};
use super::house::{House, await_that, await_truth, host, truth};
use super::project::Project;
use crate::support::sshd::{DEBIAN_12, TestHost};

const CONFIG: &str = r#"{"phases": {"unit": {"run": "./say"}}}"#;

/// A small tree: a program, a link, a file with an odd name.
fn small_tree(house: &House) -> Project {
    let files = [
        ("src/say.sh", "echo \"hello from $(cat name)\"\n"),
        ("name", "one\n"),
        ("a b/it's ü", "odd\n"),
        ("config.json", CONFIG),
    ];
    let project = Project::new(house, "hello", &files);
    fs::set_permissions(project.dir.join("src/say.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("src/say.sh", project.dir.join("say")).unwrap();
    project
}

fn begin(project: &Project, house: &House, flags: &[&str], script: &str) -> Client {
    project.begin(house, &[&["run"], flags, &["--", "sh", "-c", script]].concat())
}

fn run(project: &Project, house: &House, flags: &[&str], script: &str) -> Ran {
    begin(project, house, flags, script).end()
}

/// What is in the runner's cache and beside it.
fn kept(house: &House, host: &TestHost) -> String {
    let base = house.api(&format!("runners/{}", host.spec.hostname))["base_dir"].as_str().unwrap().to_owned();
    host.run_inside(&format!("cd {base} && ls -A f p; ls ws | wc -l"))
}

#[test]
fn a_job_starts_in_a_copy_of_the_committed_files_or_of_the_files_as_they_are() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let project = small_tree(&house);
    run(&project, &house, &["--with-tree"], "true").expect(1, &["no commit", "--dirty"]);
    project.commit("a change");
    let mut phase = house.shunt_command();
    phase.env("PATH", std::env::var("PATH").expect("a PATH")).args([
        "run",
        "--phase",
        "unit",
        "--with-tree",
        "--project",
    ]);
    phase.arg(&project.dir);
    Client::start(phase, b"").end().expect(0, &["hello from one"]);
    project.write("name", "changed\n");
    project.write("new", "new\n");
    let script = "./say && cat 'a b'/* && readlink say && stat -c '%a %n' src/say.sh name src && test -e new";
    let committed = run(&project, &house, &["--with-tree"], script);
    assert_eq!(
        committed.text(),
        "hello from one\nodd\nsrc/say.sh\n755 src/say.sh\n644 name\n755 src\n",
        "{}",
        committed.stderr
    );
    assert_ne!(committed.code, 0, "a new file is no part of the commit");
    project.write(".gitignore", "ignored\n");
    project.write("ignored", "secret\n");
    let dirty = run(&project, &house, &["--dirty"], "./say && cat new && ls -A");
    assert_eq!(
        dirty.text(),
        "hello from changed\nnew\n.gitignore\na b\nconfig.json\nname\nnew\nsay\nsrc\n",
        "{}",
        dirty.stderr
    );
    dirty.expect(0, &["9 entries", "sent 3 file(s)"]);
}

#[test]
fn a_second_change_brings_only_what_has_changed_and_no_job_changes_the_cache() {
    let host = host("u1", DEBIAN_12);
    let house = House::with_log(&[(&host, 1)], "shuntyard=info");
    let project = small_tree(&house);
    project.write("large", &"0123456789abcdef\n".repeat(20_000));
    run(&project, &house, &["--dirty"], "./say; echo worse >name").expect(0, &["hello from one", "sent 5 file(s)"]);
    let again = run(&project, &house, &["--dirty"], "./say");
    again.expect(0, &["hello from one", "sent 0 file(s)"]);
    project.write("name", "two\n");
    let changed = run(&project, &house, &["--dirty"], "./say && wc -c <large");
    changed.expect(0, &["hello from two\n340000\n", "sent 1 file(s), 4 B"]);
    let told: Vec<bool> = house
        .log()
        .lines()
        .filter(|l| l.contains("delivering the workspace"))
        .map(|l| l.contains("delta=true"))
        .collect();
    assert_eq!(told, [false, true], "{}", house.log());
    // What a job has done to the cache on purpose is seen when a difference is made from it: then all is sent.
    let base = house.api("runners/u1")["base_dir"].as_str().unwrap().to_owned();
    host.run_inside(&format!("for tree in {base}/ws/*/tree; do echo evil >$tree/src/say.sh; done"));
    project.write("name", "three\n");
    run(&project, &house, &["--dirty"], "./say").expect(0, &["hello from three"]);
    house.await_empty_spool(&host);
    assert_eq!(kept(&house, &host), "f:\n\np:\n2");
}

/// Lets the host's tar wait until ~/go exists, and note that it was begun.
fn hold_tar(host: &TestHost) {
    host.run_inside(
        "cd /home/deploy && cp /usr/bin/tar real-tar && printf '%s\\n' '#!/bin/sh' 'echo begun >>/home/deploy/begun' \
         'until [ -e /home/deploy/go ]; do sleep 0.05; done' 'exec /home/deploy/real-tar \"$@\"' >held-tar && \
         chmod 755 held-tar && mount --bind held-tar /usr/bin/tar",
    );
}

#[test]
fn two_jobs_at_once_wait_for_one_delivery_and_nobody_else_waits() {
    let host = host("u1", DEBIAN_12);
    let house = House::with_log(&[(&host, 4)], "shuntyard=info");
    let project = small_tree(&house);
    hold_tar(&host);
    let jobs = [(); 2].map(|()| begin(&project, &house, &["--dirty"], "./say"));
    await_truth(&host, "begun", "begun");
    house.shunt(&["run", "--", "echo", "not held up"]).expect(0, &["not held up"]);
    let assigned = || house.api("jobs")[0]["state"] == "assigned" && house.api("jobs")[1]["state"] == "assigned";
    await_that("both are assigned", assigned, || house.api("jobs").to_string());
    host.run_inside("touch /home/deploy/go");
    for job in jobs {
        job.end().expect(0, &["hello from one"]);
    }
    assert_eq!(house.log().matches("delivering the workspace").count(), 1, "{}", house.log());
    assert_eq!(truth(&host, "begun"), "begun\n");
}

#[test]
fn a_delivery_is_cancelled_with_its_job_and_begun_again_after_a_crash_or_a_cut_link() {
    let host = host("u1", DEBIAN_12);
    let mut house = House::with(&[(&host, 1)]);
    let project = small_tree(&house);
    hold_tar(&host);
    let flags = ["--dirty", "--detach"];
    let submit = |script: &str| run(&project, &house, &flags, script).text().trim().to_owned();
    let cancelled = submit("echo x >>~/starts");
    let second = submit("./say; echo x >>~/starts");
    await_truth(&host, "begun", "begun\n");
    house.shunt(&["cancel", &cancelled]).expect(0, &[]);
    let job = house.await_end(&cancelled);
    assert_eq!((&job["state"], &job["started_at"]), (&"cancelled".into(), &serde_json::Value::Null), "{job}");
    await_truth(&host, "begun", "begun\nbegun\n");
    house.kill();
    house.start_again();
    await_truth(&host, "begun", "begun\nbegun\nbegun\n");
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    house.await_state(&second, &["queued"]);
    host.restart();
    await_truth(&host, "begun", "begun\nbegun\nbegun\nbegun\n");
    host.run_inside("touch /home/deploy/go");
    let job = house.await_end(&second);
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(house.shunt(&["logs", &second]).text(), "hello from one\n");
    assert_eq!(truth(&host, "starts"), "x\n", "one start, and none of the cancelled job");
    house.await_empty_spool(&host);
    // What the deliveries that were given up had begun is gone, too.
    await_that("one tree is left", || kept(&house, &host) == "f:\n\np:\n1", || kept(&house, &host));
}

#[test]
fn a_runner_without_room_for_the_tree_is_left_for_another() {
    let (full, roomy) = (host("full", DEBIAN_12), host("roomy", DEBIAN_12));
    // Less than a delivery leaves free.
    full.run_inside(
        "mkdir -p /home/deploy/.cache && mount -t tmpfs -o size=20m tmpfs /home/deploy/.cache && \
         chown deploy: /home/deploy/.cache && chmod 700 /home/deploy/.cache",
    );
    let house = House::with(&[(&full, 1), (&roomy, 1)]);
    let project = small_tree(&house);
    // The runner that was used last is taken last.
    house.shunt(&["run", "--filter", "hostname=roomy", "--", "true"]).expect(0, &[]);
    let elsewhere = run(&project, &house, &["--dirty"], "./say");
    elsewhere.expect(0, &["hello from one", "on roomy"]);
    let job = &house.api("jobs?state=succeeded")[0];
    assert_eq!(job["attempt"], 2, "{job}");
    let events = house.api(&format!("jobs/{}/events", job["id"].as_str().unwrap()));
    assert!(events.to_string().contains("free space"), "{events}");
}
