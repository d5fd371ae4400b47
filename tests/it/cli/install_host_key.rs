//! Whose key a host shows: shown, confirmed, given, wrong, and changed later.

use std::process::Command;

use super::enrolment::*;
use super::house::{House, await_that, host};
use crate::support::sshd::{DEBIAN_12, DEPLOY_PASSWORD, TestHost};

/// `SHA256:…` as ssh-keygen shows it, of the host's only key.
fn fingerprint(host: &TestHost) -> String {
    host.run_inside("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn an_unknown_host_key_is_shown_and_nothing_is_sent_before_it_is_confirmed() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    let (before, shown) = (traces(&host), fingerprint(&host));
    let input = format!("{DEPLOY_PASSWORD}\n");
    let ran = install(&house, &host, "deploy", &["--password-stdin"], &input);
    ran.expect(2, &["not confirmed", &format!("--host-key {shown}")]);
    let other = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
    let ran = install(&house, &host, "deploy", &["--password-stdin", "--host-key", other], &input);
    ran.expect(1, &["failed: step connect", "not the expected one", &shown, other, "somebody may be between"]);
    // -y accepts what is shown, not something else than what was given.
    let ran = install(&house, &host, "deploy", &["--password-stdin", "-y", "--host-key", other], &input);
    ran.expect(1, &["not the expected one"]);
    let ran = install(&house, &host, "deploy", &["--password-stdin", "--host-key", "SHA256:short"], &input);
    ran.expect(2, &["is not a fingerprint"]);
    for sent in ["password", "Accepted", "Failed"] {
        assert!(!host.log().contains(sent), "a credential went to a host that nobody has confirmed:\n{}", host.log());
    }
    expect_untouched(&house, &host, &before);
    let ran = install(&house, &host, "deploy", &["--password-stdin", "--host-key", &shown], &input);
    ran.expect(0, &["runner d1 is enrolled"]);
    assert_eq!(only_runner(&house)["host_keys"], serde_json::json!([shown]));
}

#[test]
fn a_host_whose_key_changes_is_quarantined_until_the_new_key_is_confirmed() {
    let (host, mut house) = (host("d1", DEBIAN_12), House::start());
    install_system(&house, &host);
    let old = fingerprint(&host);
    let key = host.path("etc/ssh/ssh_host_ed25519_key");
    std::fs::remove_file(&key).unwrap();
    std::fs::remove_file(key.with_extension("pub")).unwrap();
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    host.restart();
    let new = fingerprint(&host);
    let quarantined = |house: &House| only_runner(house)["state"] == "quarantined";
    await_that("the runner is quarantined", || quarantined(&house), || only_runner(&house).to_string());
    let reason = only_runner(&house)["contact"]["reason"].to_string();
    assert!(reason.contains(&new) && reason.contains(&old), "{reason}");
    let accepted = host.log().matches("Accepted").count();

    let job = house.submit(&[], "echo ran");
    house.shunt(&["ctl", "test-runner", "d1"]).expect(1, &["failed: step login", &new]);
    house.shunt(&["ctl", "delete-runner", "d1", "-y"]).expect(1, &["failed: step clean", &new, "--force"]);
    let words = ["api", "patch", "runners/d1", "-d", r#"{"state":"enrolled"}"#];
    house.shunt(&words).expect(1, &["unknown host key"]);
    assert!(house.terminate().success());
    house.start_again();
    assert!(quarantined(&house), "a restart has lifted the quarantine");
    assert_eq!(house.job(&job)["state"], "queued");
    assert_eq!(host.log().matches("Accepted").count(), accepted, "our key has signed for an unknown host");

    let input = format!("{DEPLOY_PASSWORD}\n");
    install(&house, &host, "deploy", &["--password-stdin"], &input).expect(2, &[&new]);
    let ran = install(&house, &host, "deploy", &["--password-stdin", "--host-key", &old], &input);
    ran.expect(1, &["not the expected one"]);
    let ran = install(&house, &host, "deploy", &["--password-stdin", "--host-key", &new], &input);
    ran.expect(0, &["runner d1 is enrolled"]);
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    assert_eq!(only_runner(&house)["host_keys"], serde_json::json!([new]));
}
