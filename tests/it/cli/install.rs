//! `shunt ctl install-runner` with every kind of login, and the inventory after it.

use super::enrolment::*;
use super::house::{House, await_that, host};
use crate::support::sshd::{
    BOB_PASSWORD, CAROL_PASSWORD, CENTOS_7, DEPLOY_PASSWORD, HostSpec, LoginShell, TestHost, UBUNTU_2204,
};

#[test]
fn a_key_and_sudo_enrol_a_host_in_steps_that_are_shown() {
    let host = TestHost::start(HostSpec { hostname: "u1".into(), os_release: UBUNTU_2204, ..HostSpec::default() });
    let house = House::start();
    let key = login_key(&house, &host, "deploy");
    let flags = ["-i", key.to_str().unwrap(), "-y", "--labels", "gpu,zone=eu", "--slots", "3"];
    let ran = install(&house, &host, "deploy", &flags, "");
    ran.expect(0, &["runner u1 is enrolled (ubuntu 22.04, ", "3 slots)"]);
    let mut rest = ran.stderr.as_str();
    for step in [
        "accepting the key that u1 shows",
        "✔ connecting to 127.0.0.1",
        "✔ asking the host what it is: ubuntu 22.04 (debian)",
        "✔ looking for root's rights: sudo without a password",
        "✔ making a key pair for this runner: SHA256:",
        "✔ writing the key and the wrapper: /var/lib/shuntyard/wrapper-",
        "✔ reading every host key: 3 pinned: SHA256:",
        "✔ connecting with the runner's own key: job_runner at 127.0.0.1",
        "✔ asking the wrapper who it is: version ",
        "✔ running a small job through the wrapper",
        "✔ storing the runner: u1 takes jobs",
    ] {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step:?}, or not in this order:\n{}", ran.stderr));
        rest = &rest[at + step.len()..];
    }

    let runner = only_runner(&house);
    for (name, value) in [
        ("hostname", "u1"),
        ("os", "linux"),
        ("platform", "ubuntu"),
        ("platform_family", "debian"),
        ("platform_version", "22.04"),
        ("user", "job_runner"),
        ("state", "enrolled"),
    ] {
        assert_eq!(runner[name], value, "{name} of {runner}");
    }
    assert_eq!((&runner["slots"], &runner["labels"]), (&3.into(), &serde_json::json!(["gpu", "zone=eu"])));
    assert_eq!((&runner["health"]["status"], runner["host_keys"].as_array().map(Vec::len)), (&"ok".into(), Some(3)));
    let public = runner["openssh_public_key"].as_str().unwrap();
    assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" job_runner@u1\n"), "{public}");
    let authorized = host.run_inside("cat /var/lib/shuntyard/.ssh/authorized_keys");
    assert!(authorized.starts_with("restrict,command=") && authorized.ends_with(public.trim_end()), "{authorized}");
    expect_jobs_run(&house, "job_runner");
    let ran = house.shunt(&["run", "--quiet", "--filter", "labels=gpu", "--", "uname", "-n"]);
    assert_eq!((ran.code, ran.text().as_str()), (0, "u1\n"), "{}", ran.stderr);
}

#[test]
fn every_kind_of_login_enrols_and_a_deleted_runner_leaves_the_host_as_it_was() {
    for (login, password, flags, way, account) in [
        ("deploy", DEPLOY_PASSWORD, &[][..], "sudo without a password", "job_runner"),
        ("carol", CAROL_PASSWORD, &[], "sudo with the password", "job_runner"),
        ("root", "", &[], "the login is root", "job_runner"),
        ("carol", CAROL_PASSWORD, &["--no-sudo"], "not asked for: jobs run as carol", "carol"),
        ("bob", BOB_PASSWORD, &["--no-sudo"], "not asked for: jobs run as bob", "bob"),
        ("root", "", &["--no-sudo"], "not asked for: jobs run as root", "root"),
    ] {
        let (host, house) = (host("c1", CENTOS_7), House::start());
        let key = login_key(&house, &host, "root");
        ["carol", "bob"].iter().for_each(|user| settle_in(&host, user));
        host.run_inside("mkdir -m 700 ~root/.cache");
        let before = traces(&host);
        let ran = match password {
            "" => install(&house, &host, login, &[&["-y", "-i", key.to_str().unwrap()], flags].concat(), ""),
            password => install_by_password(&house, &host, login, password, flags),
        };
        ran.expect(0, &[way, "runner c1 is enrolled (centos 7, "]);
        expect_jobs_run(&house, account);
        let ran = house.shunt(&["ctl", "delete-runner", "c1", "-y"]);
        ran.expect(0, &["removed key", "runner c1 is removed"]);
        assert!(!ran.stderr.contains("left on the host"), "{}", ran.stderr);
        expect_untouched(&house, &host, &before);
    }
}

#[test]
fn login_shells_that_talk_or_are_no_posix_shells_change_nothing() {
    for shell in [LoginShell::NoisyBash, LoginShell::Fish] {
        for (flags, account) in [(&[][..], "job_runner"), (&["--no-sudo"], "deploy")] {
            let spec =
                HostSpec { hostname: "h1".into(), shell, host_key_types: vec!["ed25519"], ..HostSpec::default() };
            let (host, house) = (TestHost::start(spec), House::start());
            install_by_password(&house, &host, "deploy", DEPLOY_PASSWORD, flags).expect(0, &["runner h1 is enrolled"]);
            expect_jobs_run(&house, account);
            house.shunt(&["ctl", "test-runner", "h1"]).expect(0, &["runner h1 is ok"]);
            house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(0, &["removed key"]);
            host.run_inside("! grep -rs job_runner@h1 /home/deploy/.ssh /var/lib/shuntyard");
        }
    }
}

#[test]
fn a_step_is_shown_when_it_is_done_and_not_at_the_end() {
    let spec = HostSpec { hostname: "h1".into(), shell: LoginShell::NoisyBash, ..HostSpec::default() };
    let (host, house) = (TestHost::start(spec), House::start());
    host.run_inside("touch /home/deploy/hold; echo 'while [ -e ~/hold ]; do sleep 0.02; done' >>/home/deploy/.bashrc");
    let flags = ["-y", "--password-stdin", "--no-sudo"];
    let client = begin_install(&house, &host, "deploy", &flags, &format!("{DEPLOY_PASSWORD}\n"));
    await_that("the first step is shown", || client.stderr().contains("✔ connecting to"), || client.stderr());
    assert!(!client.stderr().contains("asking the host"), "{}", client.stderr());
    assert_eq!(house.api("runners"), serde_json::json!([]), "a runner is known before its Test");
    host.run_inside("rm /home/deploy/hold");
    client.end().expect(0, &["✔ asking the host what it is", "runner h1 is enrolled"]);
}

#[test]
fn the_inventory_is_listed_and_tested_for_people_and_for_programs() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    install_system(&house, &host);
    house.await_contact(&host, "connected");
    let listed = house.shunt(&["ctl", "list-runners"]);
    listed.expect(0, &["NAME", "u1", "ubuntu 22.04", "enrolled", "connected", "0/1", "ok"]);
    let listed: serde_json::Value =
        serde_json::from_slice(&house.shunt(&["ctl", "list-runners", "--json"]).stdout).unwrap();
    assert_eq!(listed[0]["hostname"], "u1", "{listed}");

    let tested = house.shunt(&["ctl", "test-runner", "u1"]);
    tested.expect(0, &["connecting with the runner's own key", "running a small job", "runner u1 is ok"]);
    let tested: serde_json::Value =
        serde_json::from_slice(&house.shunt(&["ctl", "test-runner", "u1", "--json"]).stdout).unwrap();
    assert_eq!(tested["health"]["status"], "ok", "{tested}");
    assert!(tested["health"]["command_output"].as_str().unwrap().contains("login: job_runner at "), "{tested}");

    host.run_inside("rm /var/lib/shuntyard/wrapper-*");
    let tested = house.shunt(&["ctl", "test-runner", "u1", "--json"]);
    tested.expect(1, &["failed: step wrapper", "try: install the runner again"]);
    let health = only_runner(&house)["health"].clone();
    assert_eq!(health["status"], "error", "{health}");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&tested.stdout).unwrap()["health"], health);
    house.shunt(&["ctl", "list-runners"]).expect(0, &["error"]);
    house.shunt(&["ctl", "test-runner", "nobody"]).expect(1, &["there is no runner `nobody`"]);
    install_system(&house, &host);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &["runner u1 is ok"]);
}
