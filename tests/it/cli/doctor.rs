//! `shunt ctl doctor`: what a Test finds on real hosts, what it costs, and what becomes of a runner that fails it.

use serde_json::{Value, json};
use shuntyard::store::{Connection, Store, StoreError, StoreOptions, StoreUrl, runner_list, runner_update};
use shuntyard_domain::runner::{Health, Runner};

use super::house::{House, await_that, host};
use crate::support::sshd::{HostSpec, LoginShell, TestHost, UBUNTU_2204};

/// A disk of its own for the base directory, which a test can then make read-only or noexec.
const OWN_DISK: &str = "mkdir -p /home/deploy/.cache && mount -t tmpfs -o size=2g tmpfs /home/deploy/.cache && \
                        chown deploy: /home/deploy/.cache && chmod 700 /home/deploy/.cache";

/// The reports of `shunt ctl doctor --json`, and its exit code.
fn doctor(house: &House, words: &[&str]) -> (i32, Value) {
    let ran = house.shunt(&[&["ctl", "doctor", "--json"], words].concat());
    let answer = serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    (ran.code, answer)
}

/// Verdict and evidence of one probe of the first runner.
fn probe<'a>(answer: &'a Value, name: &str) -> (&'a str, &'a str) {
    let probes = answer["runners"][0]["probes"].as_array().expect("probes");
    let probe = probes.iter().find(|probe| probe["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"));
    (probe["verdict"].as_str().unwrap(), probe["evidence"].as_str().unwrap())
}

/// Expects of each probe its verdict and a part of its evidence.
fn expect(answer: &Value, probes: &[(&str, &str, &str)]) {
    for (name, verdict, evidence) in probes {
        let (found, said) = probe(answer, name);
        assert!(found == *verdict && said.contains(evidence), "{name}: {found} {said:?}, not {verdict} {evidence:?}");
    }
}

/// How often somebody has connected to the host.
fn connections(host: &TestHost) -> usize {
    host.log().matches("Connection from ").count()
}

#[test]
fn a_connected_runner_is_examined_over_its_connection_and_every_probe_is_kept() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    house.enrol(&host, 2);
    house.await_contact(&host, "connected");
    let before = connections(&host);
    let shown = house.shunt(&["ctl", "doctor", "u1"]);
    shown.expect(0, &["resolve", "127.0.0.1", "SSH-2.0-OpenSSH_", "deploy by key", "1 runner: "]);
    let (code, answer) = doctor(&house, &["u1"]);
    assert_eq!((code, &answer["runners"][0]["hostname"]), (0, &json!("u1")), "{answer}");
    expect(
        &answer,
        &[
            ("tcp", "ok", &format!("127.0.0.1:{}", host.port)),
            ("kex", "ok", "aes256-gcm"),
            ("host_key", "ok", "ssh-ed25519 SHA256:"),
            ("auth", "ok", "deploy by key"),
            ("wrapper", "ok", "version "),
            ("rc_noise", "ok", "print nothing"),
            ("clock", "ok", "the dispatcher"),
            ("job", "ok", "started, streamed and ended"),
            ("max_sessions", "ok", "4 sessions open at a time"),
            ("facts", "ok", "ubuntu 22.04"),
            ("login_shell", "ok", "/bin/sh"),
            ("path", "ok", "/usr/bin"),
            ("sudo", "ok", "sudo -n works"),
            ("work_dir", "ok", "can be written"),
            ("exec", "ok", "can be started"),
            ("setsid", "ok", "session of its own"),
            ("tools", "ok", "tar, git"),
        ],
    );
    assert_eq!(connections(&host), before, "an examination has made a connection:\n{}", host.log());
    let runner = house.api("runners/u1");
    assert_eq!(runner["last_test"]["probes"], answer["runners"][0]["probes"], "{runner}");
    assert_eq!((&runner["last_test"]["kind"], &runner["health"]["status"]), (&json!("test"), &json!("ok")));
    assert_eq!(house.api("runners")[0]["last_test"], Value::Null);
    let (code, last) = doctor(&house, &["u1", "--last"]);
    assert_eq!((code, &last["runners"][0]["probes"]), (0, &runner["last_test"]["probes"]));
    // What a Test opens it closes: the next jobs find the host as it was.
    house.await_empty_spool(&host);
    house.shunt(&["run", "--", "true"]).expect(0, &["succeeded"]);
}

#[test]
fn what_will_surprise_jobs_is_a_warning_with_its_fix_and_takes_no_job_away() {
    let spec = HostSpec {
        hostname: "h1".into(),
        os_release: UBUNTU_2204,
        shell: LoginShell::NoisyBash,
        max_sessions: 2,
        host_key_types: vec!["ed25519"],
        ..HostSpec::default()
    };
    let (host, house) = (TestHost::start(spec), House::start());
    host.run_inside(OWN_DISK);
    house.enrol(&host, 1);
    house.await_contact(&host, "connected");
    host.run_inside(
        "mount -o remount,noexec /home/deploy/.cache && \
         for git in /usr/bin/git /usr/local/bin/git; do [ ! -e $git ] || mount --bind /dev/null $git; done",
    );
    let (code, answer) = doctor(&house, &["h1"]);
    assert_eq!((code, &answer["runners"][0]["verdict"], &answer["warn"]), (0, &json!("warn"), &json!(1)), "{answer}");
    expect(
        &answer,
        &[
            ("rc_noise", "warn", "welcome to this host"),
            ("rc_noise", "warn", "rc warning"),
            ("max_sessions", "warn", "allows 2 sessions on a connection; its slots want 3"),
            ("exec", "warn", "noexec"),
            ("tools", "warn", "no git"),
            ("login_shell", "ok", "/bin/bash"),
        ],
    );
    let quiet = house.shunt(&["ctl", "doctor", "h1", "--quiet", "--strict"]);
    quiet.expect(1, &["h1: warn", "fix: install git", "1 runner: 0 ok, 1 warn, 0 fail"]);
    assert!(!quiet.text().contains("resolve"), "{}", quiet.text());
    assert!(house.api("runners/h1")["health"]["command_output"].as_str().unwrap().contains("warn tools: no git"));
    house.shunt(&["run", "--", "true"]).expect(0, &["succeeded"]);
}

#[test]
fn a_runner_that_fails_gets_no_job_until_it_is_well() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    host.run_inside(OWN_DISK);
    house.enrol(&host, 1);
    house.await_contact(&host, "connected");
    host.run_inside("mount -o remount,ro /home/deploy/.cache");
    let failed = house.shunt(&["ctl", "doctor", "u1"]);
    failed.expect(
        1,
        &["u1: fail", "work_dir", "fix: see that the file system is mounted rw", "1 runner: 0 ok, 0 warn, 1 fail"],
    );
    assert_eq!(house.api("runners/u1")["health"]["status"], "error");
    let job = house.submit(&[], "true");
    house.shunt(&["explain", &job]).expect(0, &["unhealthy", "repair `u1` until its Test passes"]);
    // A Test that fails again does not let jobs through while it is under way.
    doctor(&house, &["u1"]);
    assert_eq!(house.job(&job)["state"], "queued");
    host.run_inside("mount -o remount,rw /home/deploy/.cache");
    assert_eq!(doctor(&house, &["u1"]).0, 0);
    assert_eq!(house.await_end(&job)["state"], "succeeded");
}

#[test]
fn a_runner_that_is_not_reached_says_at_which_layer_and_what_worked_below_it() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    house.enrol(&host, 1);
    house.await_contact(&host, "connected");
    host.kill_sshd();
    house.await_contact(&host, "unreachable");
    let (code, answer) = doctor(&house, &["u1"]);
    assert_eq!((code, &answer["fail"]), (1, &json!(1)), "{answer}");
    expect(
        &answer,
        &[
            ("resolve", "ok", "127.0.0.1"),
            ("tcp", "fail", "connection refused"),
            ("banner", "skipped", "not reached: tcp failed"),
            ("auth", "skipped", "not reached: tcp failed"),
            ("job", "skipped", "not reached: the step login failed"),
        ],
    );
    // It is well again: the Test that failed is not held against it.
    let job = house.submit(&[], "true");
    host.restart();
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(house.api("runners/u1")["last_test"]["kind"], "check");

    host.run_inside("mv /home/deploy/.ssh/authorized_keys /home/deploy/.ssh/away");
    host.restart();
    house.await_contact(&host, "unreachable");
    let (code, answer) = doctor(&house, &["u1"]);
    assert_eq!(code, 1);
    expect(&answer, &[("banner", "ok", "OpenSSH"), ("host_key", "ok", "SHA256:"), ("auth", "fail", "refused the key")]);

    host.run_inside(
        "rm /etc/ssh/ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key",
    );
    host.restart();
    let (code, answer) = doctor(&house, &["u1"]);
    assert_eq!(code, 1);
    expect(
        &answer,
        &[("kex", "skipped", ""), ("host_key", "fail", "not the expected one"), ("auth", "skipped", "host_key failed")],
    );
    house.shunt(&["ctl", "doctor", "u1"]).expect(1, &["fix: compare the key on the host itself"]);
}

#[test]
fn checks_ride_on_the_connection_and_two_in_a_row_decide() {
    let host = host("u1", UBUNTU_2204);
    host.run_inside(OWN_DISK);
    let mut house = House::start_set("info", &[("SHUNTD_HEALTH_CHECK_EVERY_S", "1")]);
    house.enrol(&host, 1);
    house.await_contact(&host, "connected");
    let runner = || house.api("runners/u1");
    await_that("a check is kept", || runner()["last_test"]["kind"] == "check", || runner().to_string());
    let before = connections(&host);
    host.run_inside("mount -o remount,ro /home/deploy/.cache");
    await_that("checks find it out", || runner()["health"]["status"] == "error", || runner().to_string());
    assert!(house.log().contains("a check failed; the next one decides"), "one failure was enough");
    let job = house.submit(&[], "true");
    house.shunt(&["explain", &job]).expect(0, &["unhealthy"]);
    host.run_inside("mount -o remount,rw /home/deploy/.cache");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(runner()["health"]["status"], "ok");
    assert_eq!(connections(&host), before, "a check has made a connection:\n{}", host.log());

    house.kill();
    leave_a_test_under_way(&house);
    house.start_again();
    let runner = || house.api("runners/u1");
    await_that("checks go on", || runner()["health"]["status"] == "ok", || runner().to_string());
}

/// What a crash in the middle of an unhealthy runner's Test leaves.
fn leave_a_test_under_way(house: &House) {
    let url = StoreUrl::parse(&format!("sqlite:{}", house.data_dir().join("shuntyard.db").display())).unwrap();
    let store = Store::open(&url, StoreOptions::default()).unwrap();
    let begin = |c: &mut Connection| {
        let runner = runner_list(c)?.remove(0);
        runner_update(c, &Runner { health: Health::Pending { unhealthy: true }, ..runner })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let begun: Result<Runner, StoreError> = runtime.block_on(store.write(begin));
    begun.unwrap();
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_sent() {
    let house = House::start();
    house.shunt(&["ctl", "doctor"]).expect(2, &["<HOSTNAME>"]);
    house.shunt(&["ctl", "doctor", "u1", "--all"]).expect(2, &["cannot be used with"]);
    house.shunt(&["ctl", "doctor", "a;b"]).expect(2, &["host name `a;b` is not allowed"]);
    house.shunt(&["ctl", "doctor", "u1"]).expect(1, &["there is no runner `u1`"]);
    house.shunt(&["ctl", "doctor", "--all"]).expect(0, &["0 runners: 0 ok, 0 warn, 0 fail"]);
}
