//! Enrolling hosts in the ways that people do, and what a host looks like before and after.

use super::client::Ran;
use super::house::House;
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost};

/// `shunt ctl install-runner` for a host under its own name; `input` is the whole standard input.
pub fn install(house: &House, host: &TestHost, login: &str, flags: &[&str], input: &str) -> Ran {
    house.begin_with_input(&install_words(host, login, flags), input.as_bytes()).end()
}

/// The words of `install`, in front of which nothing is missing but the program.
pub fn install_words<'w>(host: &'w TestHost, login: &'w str, flags: &[&'w str]) -> Vec<&'w str> {
    // A port is the only number in it: it lives as long as the test.
    let port: &'static str = Box::leak(host.port.to_string().into_boxed_str());
    let words = ["ctl", "install-runner", &host.spec.hostname, login, "--address", &host.address, "-p", port];
    [&words[..], flags].concat()
}

/// Enrols a host in system mode, by sudo without a password.
pub fn install_system(house: &House, host: &TestHost) {
    let ran = install(house, host, "deploy", &["-y", "--password-stdin"], &format!("{DEPLOY_PASSWORD}\n"));
    assert_eq!(ran.code, 0, "{}\n{}", ran.stderr, house.log());
}

/// Everything that an install may touch on a host: accounts, sudo's rules, homes, and what lies under /var; directories
/// with owner and mode, files with their checksum, too.
pub fn traces(host: &TestHost) -> String {
    host.run_inside(
        "grep -v ^_ /etc/passwd /etc/group | grep -e job_runner -e deploy -e carol -e bob; \
         find /etc/sudoers.d /home /root /var/lib /var/tmp /dev/shm /tmp ! -name .cache -printf '%p %u %m\\n' | sort; \
         find /etc/sudoers.d /home /root /var/lib -name .cache -prune -o -type f -exec cksum {} + | sort -k3",
    )
}
