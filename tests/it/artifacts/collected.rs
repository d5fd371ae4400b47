//! Outputs and files of jobs that ended, however they ended.

use std::fs;

use serde_json::json;

use super::{fetched, listed, sha256};
use crate::cli::house::{House, await_truth, host, truth};
use crate::support::sshd::DEBIAN_12;

/// Leaves a large file, one with an odd name, one that can be run, and two outputs.
const SCRIPT: &str = "mkdir -p 'out/a b' logs; head -c 7000001 /dev/urandom >out/large; cp out/large ~/truth; \
    printf ü >\"out/a b/it's ü\"; printf '#!/bin/sh\\n' >out/run; chmod 711 out/run; : >out/empty; echo log >logs/x.log; \
    echo no >other; echo version=1.2.3 >>\"$SHUNT_OUTPUT\"; echo \"where=$(hostname) ü\" >>\"$SHUNT_OUTPUT\"; ";

#[test]
fn outputs_and_files_come_back_byte_for_byte() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let job = house.submit(&["--artifacts", "out", "--artifacts", "**/*.log"], SCRIPT);
    let body = house.await_end(&job);
    assert_eq!(body["state"], "succeeded", "{body}");
    assert_eq!(body["outputs"], json!({"version": "1.2.3", "where": "u1 ü"}));
    assert_eq!((&body["artifacts"], &body["artifact_patterns"]), (&json!(5), &json!(["out", "**/*.log"])));
    assert!(body["outputs_fault"].is_null() && body["artifacts_fault"].is_null(), "{body}");
    let expected =
        ["logs/x.log 4 644", "out/a b/it's ü 2 644", "out/empty 0 644", "out/large 7000001 644", "out/run 10 755"];
    assert_eq!(listed(&house, &job), expected);
    let large = fs::read(host.path("home/deploy/truth")).unwrap();
    assert_eq!(sha256(&fetched(&house, &job, "out/large")), sha256(&large));
    assert_eq!(fetched(&house, &job, "out/a b/it's ü"), "ü".as_bytes());
    assert_eq!(fetched(&house, &job, "out/empty"), b"");
    house.await_empty_spool(&host);
    let shown = house.shunt(&["jobs", &job]);
    shown.expect(0, &["output: version=1.2.3", "output: where=u1 ü", "artifacts: 5 file(s)"]);
}

#[test]
fn a_phase_keeps_what_its_configuration_says() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let config =
        json!({"phases": {"unit": {"run": "echo ok >report.xml; echo n=1 >$SHUNT_OUTPUT", "artifacts": ["*.xml"]}}});
    fs::write(house.home().join("config.json"), config.to_string()).unwrap();
    house.shunt(&["run", "--phase", "unit"]).expect(0, &[]);
    let job = &house.api("jobs?state=succeeded")[0];
    let id = job["id"].as_str().unwrap();
    assert_eq!(listed(&house, id), ["report.xml 3 644"]);
    assert_eq!(house.job(id)["outputs"], json!({"n": "1"}));
}

#[test]
fn failed_timed_out_and_cancelled_jobs_leave_theirs_too() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 3)]);
    let left = "echo kept >file; echo said=yes >$SHUNT_OUTPUT; echo up >>~/up; ";
    let keep = ["--artifacts", "file"];
    let failed = house.submit(&keep, &format!("{left} exit 7"));
    let late = house.submit(&["--artifacts", "file", "--timeout", "2s"], &format!("{left} sleep 60"));
    let cancelled = house.submit(&keep, &format!("{left} sleep 60"));
    await_truth(&host, "up", "up\nup\nup\n");
    house.shunt(&["cancel", &cancelled]).expect(0, &[]);
    for (job, state) in [(&failed, "failed"), (&late, "timed_out"), (&cancelled, "cancelled")] {
        let body = house.await_end(job);
        assert_eq!(body["state"], state, "{body}");
        assert_eq!((listed(&house, job), &body["outputs"]), (vec!["file 5 644".to_owned()], &json!({"said": "yes"})));
    }
    assert_eq!(house.job(&failed)["exit_code"], 7);
    house.await_empty_spool(&host);
}

#[test]
fn a_job_that_leaves_nothing_costs_its_host_no_call() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    // What a collection would start.
    super::hold(&host, "dd", "true");
    let job = house.submit(&[], "echo x >file; [ -f \"$SHUNT_OUTPUT\" ] && [ ! -s \"$SHUNT_OUTPUT\" ]");
    let body = house.await_end(&job);
    assert_eq!(body["state"], "succeeded", "{body}");
    assert_eq!((listed(&house, &job).len(), body["artifacts"].as_u64()), (0, Some(0)));
    assert_eq!(truth(&host, "begun"), "");
}

#[test]
fn the_login_and_its_server_put_nothing_into_a_jobs_environment() {
    let host = crate::support::sshd::TestHost::start(crate::support::sshd::HostSpec {
        hostname: "u1".into(),
        host_key_types: vec!["ed25519"],
        sshd_lines: vec!["SetEnv LEAK=from-sshd".into(), "PermitUserEnvironment yes".into()],
        ..Default::default()
    });
    let house = House::with(&[(&host, 1)]);
    host.run_inside("echo LEAKED=too >/home/deploy/.ssh/environment; chown deploy: /home/deploy/.ssh/environment");
    let ran = house.shunt(&["run", "--env", "OWN=mine", "--", "env"]);
    ran.expect(0, &["OWN=mine", "SHUNT_OUTPUT=/", "SHUNT_JOB_ID="]);
    let allowed = ["HOME", "PATH", "USER", "LOGNAME", "LANG", "SHELL", "TMPDIR", "OWN", "PWD", "OLDPWD", "SHLVL", "_"];
    for line in ran.text().lines() {
        let (name, _) = line.split_once('=').expect("NAME=VALUE");
        assert!(name.starts_with("SHUNT_") || allowed.contains(&name), "{line}");
    }
}
