//! The projects of fixtures/projects: they build, check, deploy and try themselves on real hosts.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::yard::{Yard, allowed, rows, stage};
use crate::cli::house::{House, host};
use crate::cli::project::Project;
use crate::support::sshd::{CENTOS_7, HostSpec, TestHost, UBUNTU_2204};
use crate::support::trees::sha256;

/// The Rust toolchain that runs the tests.
fn toolchain() -> PathBuf {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests, and says where it is");
    Path::new(&cargo).ancestors().nth(2).expect("BIN/cargo in a toolchain").to_owned()
}

/// An Ubuntu with Rust where rustup puts it.
fn host_with_rust() -> TestHost {
    let host = TestHost::start(HostSpec {
        hostname: "u1".into(),
        os_release: UBUNTU_2204,
        max_sessions: 40,
        host_key_types: vec!["ed25519"],
        lent: vec![(toolchain(), ".rust")],
        ..HostSpec::default()
    });
    host.run_inside("cd /home/deploy && mkdir .cargo && ln -s ../.rust/bin .cargo/bin && chown -hR deploy: .cargo");
    host
}

/// A project of fixtures/projects in a directory of its own.
fn copy(house: &House, name: &str) -> Project {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects").join(name);
    let status = Command::new("cp").arg("-a").args([from.as_path(), house.home()]).status().expect("cp");
    assert!(status.success(), "{name} is copied");
    Project { dir: house.home().join(name) }
}

/// Every phase of every stage passed, with as many rows as its matrix has.
fn check_the_whole_way(change: &Value, rows_of: impl Fn(&str) -> usize) {
    let tests = ["unit", "lint", "syntax"];
    let deployment = ["provision", "deploy", "smoke", "functional"];
    let build = [&tests[..], &["quality", "security", "publish"]].concat();
    for (name, phases) in [
        ("verify", &tests[..]),
        ("build", &build),
        ("acceptance", &deployment),
        ("union", &deployment),
        ("rehearsal", &deployment),
        ("delivered", &deployment),
    ] {
        assert_eq!(stage(change, name)["status"], "passed", "{name}: {change:#}");
        for phase in phases {
            let rows = rows(change, name, phase);
            let all_passed = rows.iter().all(|row| row["status"] == "passed" && row["job"].is_string());
            assert!(rows.len() == rows_of(phase) && all_passed, "{name} {phase}: {rows:#?}");
        }
    }
}

#[test]
fn a_rust_a_python_and_a_shell_project_build_and_deploy_themselves() {
    let yard = Yard::with_hosts(host_with_rust(), host("c1", CENTOS_7));
    let projects = ["bytesize-rust", "wordfreq-python", "rotate-shell"];
    let ids = projects.map(|name| {
        let project = copy(&yard.house, name);
        project.commit("Begins");
        let submitted = project.shunt(&yard.house, &["change", "submit"]);
        submitted.expect(0, &["shunt change follow"]);
        submitted.text().trim().to_owned()
    });
    for gate in ["approve", "deliver"] {
        for id in &ids {
            yard.await_change(id, &format!("it waits to {gate}"), |change| allowed(change).contains(&gate));
            yard.house.shunt(&["change", gate, id]).expect(0, &[]);
        }
    }
    let changes = ids.each_ref().map(|id| yard.await_stage(id, "delivered", 1, "passed"));
    let [rust, python, shell] = &changes;
    check_the_whole_way(rust, |_| 1);
    check_the_whole_way(python, |phase| if phase == "unit" { 2 } else { 1 });
    let on_both = ["unit", "provision", "deploy", "smoke", "functional"];
    check_the_whole_way(shell, |phase| if on_both.contains(&phase) { 2 } else { 1 });

    // What was deployed is there, stage by stage, and runs.
    for stage in ["acceptance", "union", "rehearsal", "delivered"] {
        let place = |project: &str| format!("cd /home/deploy/deployed/{project}/{stage}");
        assert_eq!(yard.u1.run_inside(&format!("{} && current/bytesize 1536", place("bytesize"))), "1.5 KiB");
        let words = format!("{} && echo a b a | python3 wordfreq.pyz -n 1", place("wordfreq"));
        assert_eq!(yard.c1.run_inside(&words), "      2 a");
        for host in [&yard.u1, &yard.c1] {
            assert_eq!(host.run_inside(&format!("{} && ./rotate --version", place("rotate"))), "rotate 2.0.4");
        }
    }
    assert!(!yard.c1.path("home/deploy/deployed/bytesize").exists(), "Rust is for Ubuntu alone");
    for (change, version, archive) in [
        (rust, "0.3.1", "dist/bytesize-0.3.1.tar.gz"),
        (python, "1.2.0", "dist/wordfreq.pyz"),
        (shell, "2.0.4", "dist/rotate-2.0.4.tar.gz"),
    ] {
        what_was_published_is_kept(&yard, change, version, archive);
    }
    let unit = rows(rust, "verify", "unit")[0]["job"].as_str().expect("a job").to_owned();
    let log = yard.house.shunt(&["logs", &unit]).text();
    assert!(log.contains("test result: ok. 3 passed"), "{log}");
}

/// The archive came back as an artifact, and the job's facts are about these very bytes.
fn what_was_published_is_kept(yard: &Yard, change: &Value, version: &str, archive: &str) {
    let id = rows(change, "build", "publish")[0]["job"].as_str().expect("a job");
    let outputs = &yard.house.job(id)["outputs"];
    assert_eq!(outputs["version"], version, "{outputs}");
    let listed = yard.get(&format!("jobs/{id}/artifacts"));
    let paths: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|file| file["path"].as_str()).collect();
    let mut expected = ["dist/SHA256SUMS", archive];
    expected.sort_unstable();
    assert_eq!(paths, expected);
    let bytes = yard.send("GET", &format!("jobs/{id}/artifacts/{archive}"), None).body;
    let digest = sha256(&bytes).to_string();
    assert_eq!(outputs["sha256"], digest, "{} bytes of {archive}", bytes.len());
    let file = listed.as_array().expect("a list").iter().find(|file| file["path"] == archive).expect("the archive");
    assert_eq!((&file["digest"], &file["size"]), (&digest.into(), &bytes.len().into()));
}
