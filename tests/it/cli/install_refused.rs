//! Logins that do not work: the step, the reason and the advice are said, and neither side is changed.

use super::enrolment::*;
use super::house::{House, host};
use super::terminal::Terminal;
use crate::support::sshd::{BOB_PASSWORD, DEBIAN_12, DEPLOY_PASSWORD, TestHost, UBUNTU_2204, free_port};
use std::process::Command;

#[test]
fn a_login_that_is_refused_says_where_why_and_what_to_try() {
    let (host, house) = (host("u1", UBUNTU_2204), House::start());
    let key = login_key(&house, &host, "carol");
    let before = traces(&host);
    let wrong = install_by_password(&house, &host, "deploy", "not-her-password", &[]);
    wrong.expect(1, &["failed: step connect", "password", "try: see that user and password or key are right"]);
    let nobody = install_by_password(&house, &host, "nobody-here", "x", &[]);
    nobody.expect(1, &["failed: step connect", "try: see that user and password or key are right"]);
    let unknown_key = house.home().join("unknown-key");
    std::fs::write(&unknown_key, shuntyard::ssh::generate_runner_key("x").unwrap().0.as_bytes()).unwrap();
    let unknown = install(&house, &host, "deploy", &["-y", "-i", unknown_key.to_str().unwrap()], "");
    unknown.expect(1, &["failed: step connect", "key", "try: see that user and password or key are right"]);

    let by_key = install(&house, &host, "carol", &["-y", "-i", key.to_str().unwrap()], "");
    by_key.expect(
        1,
        &["failed: step sudo: sudo asks carol for a password", "try: log in with --password, or use --no-sudo"],
    );
    let no_rights = install_by_password(&house, &host, "bob", BOB_PASSWORD, &[]);
    no_rights.expect(1, &["failed: step sudo: sudo refuses bob", "not in the sudoers file", "or use --no-sudo"]);
    expect_untouched(&house, &host, &before);
}

#[test]
fn a_host_that_cannot_be_reached_says_why_and_what_to_try() {
    let house = House::start();
    let port = free_port().to_string();
    let words = ["ctl", "install-runner", "h1", "deploy", "--password-stdin", "-y"];
    let install = |flags: &[&str]| house.begin_with_input(&[&words[..], flags].concat(), b"x\n").end();
    install(&["--address", "127.0.0.1", "-p", &port])
        .expect(1, &["failed: step connect", "refused", "try: see that sshd runs there"]);
    install(&["--address", "no-such-host.invalid"]).expect(1, &["failed: step connect: cannot resolve", "--address"]);
    let web = house.address().rsplit(':').next().unwrap();
    install(&["--address", "127.0.0.1", "-p", web])
        .expect(1, &["failed: step connect", "try: see that the port is sshd's"]);
    assert_eq!(house.api("runners"), serde_json::json!([]));
}

/// Locks a private key with a passphrase.
fn lock(key: &std::path::Path, passphrase: &str) {
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let status = Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", passphrase, "-f"]).arg(key).status();
    assert!(status.unwrap().success());
}

fn on_terminal(house: &House, host: &TestHost, login: &str, flags: &[&str]) -> Terminal {
    let port = host.port.to_string();
    let mut command = house.shunt_command();
    command.args(["ctl", "install-runner", &host.spec.hostname, login, "--address", &host.address, "-p", &port]);
    Terminal::start(command.args(flags))
}

#[test]
fn a_locked_key_asks_for_its_passphrase_on_a_terminal_and_says_so_elsewhere() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    let key = login_key(&house, &host, "deploy");
    lock(&key, "open sesame");
    let before = traces(&host);
    let flags = ["-y", "--no-sudo", "-i", key.to_str().unwrap()];
    let ran = install(&house, &host, "deploy", &flags, "");
    ran.expect(1, &["failed: step credential", "protected by a passphrase, and none was given", "try: "]);
    let mut wrong = on_terminal(&house, &host, "deploy", &flags);
    wrong.answer("passphrase of the key: ", "open barley");
    let (code, screen) = wrong.end();
    assert!(code == 1 && screen.contains("the passphrase does not open the private key"), "{code}: {screen}");
    assert!(!host.log().contains("Accepted"), "{}", host.log());
    expect_untouched(&house, &host, &before);
    let mut right = on_terminal(&house, &host, "deploy", &flags);
    right.answer("passphrase of the key: ", "open sesame");
    let (code, screen) = right.end();
    assert!(code == 0 && screen.contains("runner d1 is enrolled"), "{code}: {screen}");
    assert!(!screen.contains("sesame"), "the passphrase is on the screen: {screen}");
}

#[test]
fn a_password_is_asked_for_without_echo_and_a_host_key_is_confirmed_by_hand() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    let before = traces(&host);
    let mut no = on_terminal(&house, &host, "deploy", &["-P"]);
    no.answer("password: ", DEPLOY_PASSWORD);
    no.answer("Trust this key? [y/N] ", "n");
    let (code, screen) = no.end();
    assert!(code == 1 && screen.contains("the host key was not confirmed; nothing was changed"), "{code}: {screen}");
    assert!(!host.log().contains("Accepted"), "{}", host.log());
    expect_untouched(&house, &host, &before);
    let mut yes = on_terminal(&house, &host, "deploy", &["-P"]);
    yes.answer("password: ", DEPLOY_PASSWORD);
    yes.answer("Trust this key? [y/N] ", "y");
    let (code, screen) = yes.end();
    assert!(
        code == 0 && screen.contains("d1 shows this host key") && screen.contains("runner d1 is enrolled"),
        "{screen}"
    );
    assert!(!screen.contains(DEPLOY_PASSWORD), "the password is on the screen: {screen}");
}
