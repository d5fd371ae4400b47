//! The way out of quarantine: what is shown, what must be typed, what is pinned, and who did it.

use std::process::Command;

use serde_json::{Value, json};

use super::enrolment::*;
use super::house::{House, await_that, host};
use super::terminal::Terminal;
use crate::support::sshd::{DEBIAN_12, TestHost};

/// `SHA256:…` as ssh-keygen shows it, of the host's only key, whatever its type.
fn fingerprint(host: &TestHost) -> String {
    host.run_inside("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split(' ').nth(1).unwrap().to_owned()
}

/// Gives the host another key of this type, in the place of the first.
pub fn swap_key(host: &TestHost, key_type: &str) {
    let key = host.path("etc/ssh/ssh_host_ed25519_key");
    let _ = std::fs::remove_file(&key);
    let _ = std::fs::remove_file(key.with_extension("pub"));
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", key_type, "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    host.restart();
}

fn runner(house: &House) -> Value {
    house.api("runners/d1")
}

fn await_quarantine(house: &House) {
    let quarantined = || runner(house)["state"] == "quarantined";
    await_that("the runner is quarantined", quarantined, || runner(house).to_string());
}

/// Logins that the host has seen, good and bad.
fn logins(host: &TestHost) -> usize {
    ["Accepted", "Failed", "Postponed"].iter().map(|word| host.log().matches(word).count()).sum()
}

/// A runner whose host has a new key of this type; its fingerprints before and now.
fn quarantined(house: &House, host: &TestHost, key_type: &str) -> (String, String) {
    let old = fingerprint(host);
    swap_key(host, key_type);
    await_quarantine(house);
    (old, fingerprint(host))
}

const OTHER: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

#[test]
fn a_swapped_key_of_either_type_is_pinned_only_when_the_host_shows_exactly_the_typed_one() {
    let (host, mut house) = (host("d1", DEBIAN_12), House::start());
    install_system(&house, &host);
    for (n, key_type) in (1..).zip(["ed25519", "ecdsa", "ed25519"]) {
        let (old, new) = quarantined(&house, &host, key_type);
        let before = logins(&host);
        let job = house.submit(&[], "echo ran");
        // Without a terminal the key is shown and nothing goes on.
        house.shunt(&["ctl", "accept-host-key", "d1"]).expect(2, &[&old, &new, key_type, "--host-key"]);
        for wrong in [old.as_str(), OTHER] {
            let ran = house.shunt(&["ctl", "accept-host-key", "d1", "--host-key", wrong]);
            ran.expect(1, &["failed: step connect", "not the expected one", &new, wrong]);
        }
        house.shunt(&["ctl", "accept-host-key", "d1", "--host-key", "SHA256:x"]).expect(2, &["is not a fingerprint"]);
        assert_eq!(logins(&host), before, "our key has signed for an unconfirmed host:\n{}", host.log());
        assert_eq!((&runner(&house)["state"], &house.job(&job)["state"]), (&"quarantined".into(), &"queued".into()));

        house.shunt(&["ctl", "accept-host-key", "d1", "--host-key", &new]).expect(0, &["has left its quarantine"]);
        assert_eq!(house.await_end(&job)["state"], "succeeded");
        let now = runner(&house);
        assert_eq!((&now["state"], &now["host_keys"]), (&"enrolled".into(), &json!([new])));
        assert_eq!(now["health"]["status"], "ok");
        let events = house.api("runners/d1/events");
        assert_eq!(events.as_array().map(Vec::len), Some(n), "{events}");
        let last = &events[n - 1];
        assert_eq!((&last["event"], &last["by"]), (&"host_key_accepted".into(), &"admin".into()), "{last}");
        assert_eq!(last["after"], json!([new]));
        assert!(last["before"].as_array().unwrap().contains(&json!(old)) && last["at"].is_string(), "{last}");
    }
    house.shunt(&["ctl", "accept-host-key", "d1"]).expect(1, &["is enrolled", "no key to accept"]);
    let words = ["api", "post", "runners/d1/accept-host-key", "-d", "{}"];
    house.shunt(&words).expect(1, &["no key to accept"]);
    assert!(house.terminate().success());
    house.start_again();
    house.await_contact(&host, "connected");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn a_person_types_the_fingerprint_and_anything_else_changes_nothing() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    install_system(&house, &host);
    let (old, new) = quarantined(&house, &host, "ed25519");
    let before = logins(&host);
    let mut command = house.shunt_command();
    command.args(["ctl", "accept-host-key", "d1"]);
    for wrong in ["", "y", &old, OTHER] {
        let mut terminal = Terminal::start(&command);
        terminal.answer("Type the new fingerprint", wrong);
        let (code, screen) = terminal.end();
        assert_eq!(code, 1, "{wrong:?}: {screen}");
        assert!(screen.contains(&old) && screen.contains(&new) && screen.contains("nothing was changed"), "{screen}");
    }
    assert_eq!((logins(&host), runner(&house)["state"].as_str()), (before, Some("quarantined")));
    let mut terminal = Terminal::start(&command);
    terminal.answer("Type the new fingerprint", &new);
    let (code, screen) = terminal.end();
    assert_eq!((code, screen.contains("has left its quarantine")), (0, true), "{screen}");
    assert_eq!(runner(&house)["host_keys"], json!([new]));
}

#[test]
fn a_runner_that_fails_its_test_stays_in_quarantine_and_a_job_that_ran_meanwhile_is_followed_on() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    install_system(&house, &host);
    let job = house.submit(&[], "echo begun; until [ -e /var/tmp/go ]; do sleep 0.05; done; echo done");
    house.await_state(&job, &["running"]);
    let (old, new) = quarantined(&house, &host, "ed25519");
    let wrapper = host.run_inside("ls -d /var/lib/shuntyard/wrapper-*").trim().to_owned();
    host.run_inside(&format!("mv {wrapper} {wrapper}.away"));
    house.shunt(&["ctl", "accept-host-key", "d1", "--host-key", &new]).expect(1, &["failed: step wrapper"]);
    assert_eq!((&runner(&house)["state"], &runner(&house)["host_keys"]), (&"quarantined".into(), &json!([old])));
    assert_eq!(house.api("runners/d1/events"), json!([]));
    host.run_inside(&format!("mv {wrapper}.away {wrapper}"));
    house.shunt(&["ctl", "accept-host-key", "d1", "--host-key", &new]).expect(0, &[]);
    host.run_inside("touch /var/tmp/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(house.shunt(&["logs", &job]).text(), "begun\ndone\n");
}
