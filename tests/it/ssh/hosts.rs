//! The test hosts themselves: what the other tests take for granted about them.

use std::sync::Arc;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{ConnectError, Credential, HostKeyPolicy, Session, generate_runner_key, load_private_key};
use zeroize::Zeroizing;

use super::{connected, expect_logged, limits};
use crate::support::sshd::{BOB_PASSWORD, CAROL_PASSWORD, CENTOS_7, HostSpec, TestHost, UBUNTU_2204};

#[tokio::test]
async fn hosts_differ_in_platform_name_and_files_and_leave_the_machine_alone() {
    let named =
        |hostname: &str, os_release| HostSpec { hostname: hostname.to_owned(), os_release, ..HostSpec::default() };
    let hosts = [TestHost::start(named("web-1", UBUNTU_2204)), TestHost::start(named("db-1", CENTOS_7))];
    for (host, id) in hosts.iter().zip(["ID=ubuntu", "ID=\"centos\""]) {
        let session = connected(host, &Tasks::new()).await;
        let output = session.exec("uname -n; cat /etc/os-release", Vec::new(), limits()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(&host.spec.hostname) && text.contains(id), "{text}");
        host.run_inside("useradd -m left_behind && touch /var/lib/left_behind /tmp/left_behind /root/left_behind");
    }
    for place in ["/home/left_behind", "/var/lib/left_behind", "/tmp/left_behind", "/root/left_behind"] {
        assert!(!std::path::Path::new(place).exists(), "{place} is on the machine");
    }
}

#[tokio::test]
async fn users_have_the_sudo_rights_that_they_are_known_for() {
    let host = TestHost::start(HostSpec::default());
    let (private, public) = generate_runner_key("users").unwrap();
    let key = Credential::Key(Arc::new(load_private_key(&private, None).unwrap()));
    for (user, input, becomes_root) in [
        ("deploy", String::new(), true),
        ("carol", format!("{CAROL_PASSWORD}\n"), true),
        ("carol", "wrong\n".to_owned(), false),
        ("bob", format!("{BOB_PASSWORD}\n"), false),
    ] {
        host.authorize(user, &public);
        let session = Session::connect(&host.dial(user), &key, &host.pinned(), &Tasks::new()).await.unwrap();
        let output = session.exec("sudo -k -S -p '' id -un", input.into(), limits()).await.unwrap();
        assert_eq!(output.stdout == b"root\n", becomes_root, "{user}: {output:?}");
    }
}

#[tokio::test]
async fn a_password_answers_the_hidden_prompt_of_hosts_that_have_only_that() {
    let lines = ["UsePAM yes", "PasswordAuthentication no", "KbdInteractiveAuthentication yes"];
    let host = TestHost::start(HostSpec { sshd_lines: lines.map(str::to_owned).to_vec(), ..HostSpec::default() });
    let policy = HostKeyPolicy::Pinned(host.host_keys.clone());
    let password = |text: &str| Credential::Password(Zeroizing::new(text.to_owned()));
    let session = Session::connect(&host.dial("bob"), &password(BOB_PASSWORD), &policy, &Tasks::new()).await.unwrap();
    assert_eq!(session.exec("id -un", Vec::new(), limits()).await.unwrap().stdout, b"bob\n");
    let wrong = Session::connect(&host.dial("bob"), &password("wrong"), &policy, &Tasks::new()).await;
    assert!(matches!(wrong.err(), Some(ConnectError::AuthRefused { .. })));
    expect_logged(&host, "Failed keyboard-interactive", 1).await;
}
