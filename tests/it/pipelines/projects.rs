//! The projects of fixtures/projects: they build, check, deploy and try themselves on real hosts.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::yard::{Yard, project_files, rows, stage};
use crate::cli::house::host;
use crate::support::sshd::{CENTOS_7, HostSpec, TestHost, UBUNTU_2204};

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
    let ids = projects.map(|project| {
        let files = project_files(project);
        let listed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        yard.submit_tree(project, &listed)
    });
    for gate in ["approve", "deliver"] {
        ids.iter().for_each(|id| yard.act(id, gate));
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
    let unit = rows(rust, "verify", "unit")[0]["job"].as_str().expect("a job").to_owned();
    let log = yard.house.shunt(&["logs", &unit]).text();
    assert!(log.contains("test result: ok. 3 passed"), "{log}");
}
