//! Runners behind a jump host: made, used, cut off, and what is refused.

use serde_json::{Value, json};

use super::client::Ran;
use super::house::{House, await_that};
use crate::support::sshd::{DEPLOY_PASSWORD, HostSpec, TestHost};

/// A host in a network of its own, and one in that network which is reached through the first only.
fn bastion_and_host() -> (TestHost, TestHost) {
    let bastion = quick("b1", HostSpec { own_network: true, ..HostSpec::default() });
    let network_of = Some(bastion.network());
    let host = quick("u1", HostSpec { network_of, ..HostSpec::default() });
    (bastion, host)
}

fn quick(hostname: &str, spec: HostSpec) -> TestHost {
    TestHost::start(HostSpec { hostname: hostname.into(), max_sessions: 40, host_key_types: vec!["ed25519"], ..spec })
}

fn install_jump(house: &House, bastion: &TestHost, flags: &[&str]) -> Ran {
    let (port, name) = (bastion.port.to_string(), bastion.spec.hostname.as_str());
    let words = ["ctl", "jump-host", "install", name, "deploy", "--address", &bastion.address, "-p", &port];
    let input = format!("{DEPLOY_PASSWORD}\n");
    house.begin_with_input(&[&words[..], &["-y", "--password-stdin"], flags].concat(), input.as_bytes()).end()
}

fn install_behind(house: &House, host: &TestHost, jump: &str) -> Ran {
    let (port, name) = (host.port.to_string(), host.spec.hostname.as_str());
    let words = ["ctl", "install-runner", name, "deploy", "--address", &host.address, "-p", &port, "--jump", jump];
    let input = format!("{DEPLOY_PASSWORD}\n");
    house.begin_with_input(&[&words[..], &["-y", "--no-sudo", "--password-stdin"]].concat(), input.as_bytes()).end()
}

fn jump_host(house: &House, name: &str) -> Value {
    house.api(&format!("jump-hosts/{name}"))
}

fn accepted(host: &TestHost) -> usize {
    host.log().matches("Accepted publickey").count()
}

#[test]
fn a_job_behind_a_jump_host_goes_on_while_that_is_down_and_its_log_has_no_hole() {
    let (bastion, host) = bastion_and_host();
    let house = House::start();
    install_jump(&house, &bastion, &[]).expect(0, &["it forwards, although nothing answers", "jump host b1 is ready"]);
    let line = bastion.run_inside("cat /home/deploy/.ssh/authorized_keys");
    assert!(line.contains("restrict,port-forwarding,command="), "{line}");
    install_behind(&house, &host, "b1").expect(0, &["by jump host b1", "runner u1 is enrolled"]);
    assert_eq!(house.api("runners/u1")["jump"], "b1");
    house.shunt(&["ctl", "list-runners"]).expect(0, &["JUMP", "b1"]);
    house.shunt(&["ctl", "jump-host", "list"]).expect(0, &["b1", "ready", "connected"]);
    house.shunt(&["ctl", "jump-host", "show", "b1"]).expect(0, &["runner u1", "SHA256:", "1 connections"]);
    house.shunt(&["ctl", "jump-host", "delete", "b1", "-y"]).expect(1, &["leads to runner u1"]);

    let script = "n=0; while [ $n -lt 400 ]; do n=$((n + 1)); echo line $n; sleep 0.01; done; until [ -e ~/go ]; do sleep 0.05; done; echo end";
    let job = house.submit(&[], script);
    await_that("some output", || house.job(&job)["log_bytes"].as_u64() > Some(100), || house.log());
    let before = accepted(&bastion);
    for _ in 0..2 {
        bastion.kill_sshd();
        house.await_contact(&host, "unreachable");
        let told = house.api("runners/u1")["contact"]["reason"].to_string();
        assert!(told.contains("jump host b1") || told.contains("the connection ended"), "{told}");
        bastion.restart();
        house.await_contact(&host, "connected");
    }
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    let expected: String = (1..=400).map(|n| format!("line {n}\n")).chain(["end\n".to_owned()]).collect();
    assert_eq!(house.shunt(&["logs", &job]).text(), expected);
    assert_eq!(accepted(&bastion), before + 2, "{}", bastion.log());

    // What our key may do there: forward, and nothing else.
    house.shunt(&["ctl", "jump-host", "test", "b1"]).expect(0, &["it reaches 127.0.0.1:", "jump host b1 is ok"]);
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &["is removed"]);
    house.shunt(&["ctl", "jump-host", "delete", "b1", "-y"]).expect(0, &["shuntyard_jump@b1", "is removed"]);
    assert_eq!(house.api("jump-hosts"), json!([]));
}

#[test]
fn a_quarantined_jump_host_is_sent_nothing_and_its_runners_come_back_when_its_key_is_accepted() {
    let (bastion, host) = bastion_and_host();
    let mut house = House::start();
    install_jump(&house, &bastion, &[]).expect(0, &[]);
    install_behind(&house, &host, "b1").expect(0, &[]);
    bastion.run_inside("cd /etc/ssh; rm ssh_host_ed25519_key*; ssh-keygen -q -N '' -t ed25519 -f ssh_host_ed25519_key");
    let new = bastion.run_inside("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    let new = new.split(' ').nth(1).unwrap().to_owned();
    bastion.restart();
    let quarantined = || jump_host(&house, "b1")["state"] == "quarantined";
    await_that("the jump host is quarantined", quarantined, || jump_host(&house, "b1").to_string());
    let reason = || house.api("runners/u1")["contact"]["reason"].to_string();
    await_that("its runner says so", || reason().contains("jump host b1 is quarantined"), reason);
    assert_eq!(house.api("runners/u1")["state"], "enrolled");
    let before = accepted(&bastion);
    house.shunt(&["ctl", "jump-host", "test", "b1"]).expect(1, &["quarantined", "accept-host-key"]);
    house.shunt(&["ctl", "jump-host", "accept-host-key", "b1"]).expect(2, &[&new, "--host-key"]);
    let old = jump_host(&house, "b1")["host_keys"][0].as_str().unwrap().to_owned();
    let wrong = house.shunt(&["ctl", "jump-host", "accept-host-key", "b1", "--host-key", &old]);
    wrong.expect(1, &["failed: step login", "not the expected one"]);
    assert_eq!(accepted(&bastion), before, "our key has signed for an unconfirmed host");
    assert!(house.terminate().success());
    house.start_again();
    assert_eq!(jump_host(&house, "b1")["state"], "quarantined");

    house.shunt(&["ctl", "jump-host", "accept-host-key", "b1", "--host-key", &new]).expect(0, &["left its quarantine"]);
    assert_eq!(jump_host(&house, "b1")["state"], "ready");
    house.await_contact(&host, "connected");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn an_admin_adds_the_printed_line_and_the_first_test_confirms_the_host_key() {
    let bastion = quick("b1", HostSpec::default());
    let house = House::start();
    let port = bastion.port.to_string();
    let words = ["ctl", "jump-host", "install", "b1", "deploy", "--address", &bastion.address, "-p", &port];
    let made = house.shunt(&[&words[..], &["--print-key"]].concat());
    made.expect(0, &["restrict,port-forwarding,", "shuntyard_jump@b1", "shunt ctl jump-host test b1"]);
    assert_eq!(jump_host(&house, "b1")["state"], "unconfirmed");
    let test = ["ctl", "jump-host", "test", "b1"];
    house.shunt(&test).expect(2, &["SHA256:", "--host-key"]);
    let refused = house.shunt(&[&test[..], &["-y"]].concat());
    refused.expect(1, &["failed: step login", "refused the key of user deploy", "put this line into ~deploy/.ssh"]);
    bastion.authorize("deploy", made.text().trim());
    house.shunt(&[&test[..], &["-y"]].concat()).expect(0, &["it reaches 127.0.0.1", "pinned", "jump host b1 is ok"]);
    assert_eq!(jump_host(&house, "b1")["state"], "ready");
    house.shunt(&test).expect(0, &[]);
    // The key opens no shell.
    let log = bastion.log();
    assert!(!log.contains("Starting session: shell"), "{log}");
}

#[test]
fn what_cannot_be_is_refused_and_says_what_to_do() {
    let closed = HostSpec { sshd_lines: vec!["AllowTcpForwarding no".into()], ..HostSpec::default() };
    let (bastion, house) = (quick("b1", closed), House::start());
    let keys = bastion.run_inside("cat /home/deploy/.ssh/authorized_keys");
    let ran = install_jump(&house, &bastion, &[]);
    ran.expect(
        1,
        &["failed: step forward", "jump host b1: it may not forward", "set AllowTcpForwarding", "rolled back"],
    );
    assert_eq!(bastion.run_inside("cat /home/deploy/.ssh/authorized_keys"), keys);
    assert_eq!(house.api("jump-hosts"), json!([]));

    install_behind(&house, &bastion, "b9").expect(1, &["there is no jump host `b9`", "jump-host install"]);
    install_jump(&house, &bastion, &["--jump", "b9"]).expect(1, &["there is no jump host `b9`"]);
    for name in ["b1", "b2", "b3"] {
        house.shunt(&["ctl", "jump-host", "install", name, "deploy", "--print-key"]).expect(0, &[]);
    }
    house
        .shunt(&["ctl", "jump-host", "install", "b1", "deploy", "--print-key"])
        .expect(1, &["already a jump host `b1`"]);
    let change = |name: &str, flags: &[&str]| house.shunt(&[&["ctl", "jump-host", "change", name], flags].concat());
    change("b2", &["--jump", "b1"]).expect(0, &["through b1"]);
    change("b3", &["--jump", "b2"]).expect(0, &[]);
    change("b1", &["--jump", "b3"]).expect(1, &["would lie before itself"]);
    change("b1", &["--jump", "b1"]).expect(1, &["would lie before itself"]);
    change("b1", &[]).expect(2, &["--address"]);
    house.shunt(&["ctl", "jump-host", "delete", "b1", "-y"]).expect(1, &["leads to jump host b2"]);
    house.shunt(&["ctl", "jump-host", "test", "b3", "-y"]).expect(1, &["step hop", "no confirmed host key"]);
    change("b2", &["--direct"]).expect(0, &["directly"]);
    house.shunt(&["ctl", "jump-host", "delete", "b1", "-y"]).expect(0, &[]);
    house.shunt(&["ctl", "jump-host", "show", "b1"]).expect(1, &["there is no jump host `b1`"]);
    house.shunt(&["ctl", "jump-host", "show", "b;1"]).expect(2, &["is not allowed"]);
    house.shunt(&["ctl", "create-token", "t", "--jump", "b1"]).expect(1, &["there is no jump host `b1`"]);
}

#[test]
fn a_runner_changes_its_way_and_a_chain_of_two_carries_it() {
    let (first, house) = (quick("b1", HostSpec::default()), House::start());
    let (second, host) = (quick("b2", HostSpec::default()), quick("u1", HostSpec::default()));
    install_jump(&house, &first, &[]).expect(0, &[]);
    install_jump(&house, &second, &["--jump", "b1"]).expect(0, &["jump host b1 is connected", "jump host b2 is ready"]);
    house.enrol(&host, 1);
    let job = house.submit(&[], "echo begun; until [ -e ~/go ]; do sleep 0.05; done; echo done");
    house.await_state(&job, &["running"]);
    house.shunt(&["ctl", "via", "u1", "jump", "b2"]).expect(0, &["u1: through jump host b2"]);
    let carried = |name: &str| jump_host(&house, name)["contact"]["carried"].clone();
    await_that("both carry", || (carried("b1"), carried("b2")) == (json!(1), json!(1)), || house.log());
    house.await_contact(&host, "connected");
    let exported = house.shunt(&["ctl", "export"]);
    exported.expect(0, &["jump = \"b2\""]);
    std::fs::write(house.home().join("inventory.toml"), exported.stdout).unwrap();
    house.shunt(&["ctl", "apply", "-f", "inventory.toml"]).expect(0, &["1 none"]);
    house.shunt(&["ctl", "jump-host", "test", "b2"]).expect(0, &["jump host b1 is connected", "it reaches 127.0.0.1:"]);
    first.kill_sshd();
    house.await_contact(&host, "unreachable");
    let reason = || house.api("runners/u1")["contact"]["reason"].to_string();
    await_that("the hop that fails is named", || reason().contains("jump host b1 is not connected"), reason);
    house.shunt(&["ctl", "jump-host", "test", "b2"]).expect(1, &["failed: step hop", "jump host b1 is not connected"]);
    house.shunt(&["ctl", "via", "u1", "direct"]).expect(0, &["u1: directly"]);
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(house.shunt(&["logs", &job]).text(), "begun\ndone\n");
    house.shunt(&["ctl", "via", "u1", "direct", "b1"]).expect(2, &["`direct` has no jump host"]);
    house.shunt(&["ctl", "via", "u1", "jump", "b9"]).expect(1, &["there is no jump host `b9`"]);
}

#[test]
fn a_host_that_enrols_itself_is_dialled_through_the_jump_host_of_its_token() {
    let (bastion, host, house) = (quick("b1", HostSpec::default()), quick("u1", HostSpec::default()), House::start());
    install_jump(&house, &bastion, &[]).expect(0, &[]);
    let token = super::enrol::make_token(&house, &["--jump", "b1"]);
    super::enrol::enrol(&house, &host, &super::enrol::Line::new(&token, &[])).expect(0, &["u1"]);
    assert_eq!(house.api("runners/u1")["jump"], "b1");
    house.await_contact(&host, "connected");
    assert_eq!(jump_host(&house, "b1")["contact"]["carried"], 1);
    house.shunt(&["ctl", "list-tokens"]).expect(0, &["JUMP", "b1"]);
}
