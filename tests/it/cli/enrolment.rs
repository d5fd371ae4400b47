//! Enrolling hosts in the ways that people do, and what a host looks like before and after.

use std::path::PathBuf;

use serde_json::{Value, json};
use shuntyard::ssh::generate_runner_key;

use super::client::{Client, Ran};
use super::house::House;
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost};

/// `shunt ctl install-runner` for a host under its own name, under way; `input` is the whole standard input.
pub fn begin_install(house: &House, host: &TestHost, login: &str, flags: &[&str], input: &str) -> Client {
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", &host.spec.hostname, login, "--address", &host.address, "-p", &port];
    house.begin_with_input(&[&words[..], flags].concat(), input.as_bytes())
}

/// As `begin_install`, to its end.
pub fn install(house: &House, host: &TestHost, login: &str, flags: &[&str], input: &str) -> Ran {
    begin_install(house, host, login, flags, input).end()
}

/// Enrols with a password, accepting the host key; more flags may follow.
pub fn install_by_password(house: &House, host: &TestHost, login: &str, password: &str, flags: &[&str]) -> Ran {
    install(house, host, login, &[&["-y", "--password-stdin"], flags].concat(), &format!("{password}\n"))
}

/// Enrols a host in system mode, by sudo without a password.
pub fn install_system(house: &House, host: &TestHost) {
    let ran = install_by_password(house, host, "deploy", DEPLOY_PASSWORD, &[]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stderr, house.log());
}

/// Makes a key pair that opens `user` of the host; returns the path of the private half.
pub fn login_key(house: &House, host: &TestHost, user: &str) -> PathBuf {
    let (private, public) = generate_runner_key("me").expect("a key");
    let public = public.replace("job_runner@", "person@");
    match user {
        "root" => host.authorize_root(&public),
        _ => host.authorize(user, &public),
    }
    let path = house.home().join(format!("key-of-{user}"));
    std::fs::write(&path, private.as_bytes()).expect("a file");
    path
}

/// Makes the home of a user what it is after a while: a cache, and an authorized_keys file of his own.
pub fn settle_in(host: &TestHost, user: &str) {
    host.run_inside(&format!(
        "cd /home/{user}; mkdir -p -m 700 .cache; echo '# mine' >>.ssh/authorized_keys; chown -R {user}: ."
    ));
}

/// Everything that an install may touch on a host: accounts, sudo's rules, homes, what lies under /var and in temporary
/// directories, with owner, mode and checksum. What sudo and useradd keep for themselves is left out, and the claims of jobs,
/// which stay for a day.
pub fn traces(host: &TestHost) -> String {
    host.run_inside(
        "grep -h -e job_runner -e deploy -e carol -e bob /etc/passwd /etc/group; \
         find /etc/sudoers.d /home /root /var/lib /var/tmp /dev/shm /tmp -path /var/lib/sudo -prune -o -path '*/c/*' -o \
              ! -name .cache -printf '%p %U %m\\n' | sort; \
         find /etc/sudoers.d /home /root /var/lib -path /var/lib/sudo -prune -o -path '*/c/*' -o -type f -exec cksum {} + | sort -k3",
    )
}

/// Asserts that neither side shows anything of an enrolment: no runner, and the host as it was.
#[track_caller]
pub fn expect_untouched(house: &House, host: &TestHost, before: &str) {
    assert_eq!(house.api("runners"), json!([]), "the dispatcher knows a runner");
    assert_eq!(traces(host), before, "the host is not as it was");
}

/// Runs a small job and checks its output, its exit code, and under which account it ran.
#[track_caller]
pub fn expect_jobs_run(house: &House, account: &str) {
    let ran = house.shunt(&["run", "--quiet", "--", "sh", "-c", "id -un; exit 3"]);
    assert_eq!((ran.code, ran.text()), (3, format!("{account}\n")), "{}\n{}", ran.stderr, house.log());
}

/// The runner that the dispatcher has; there must be one.
#[track_caller]
pub fn only_runner(house: &House) -> Value {
    let mut runners = house.api("runners");
    let runners = runners.as_array_mut().expect("a list");
    assert_eq!(runners.len(), 1, "{runners:?}");
    runners.remove(0)
}
