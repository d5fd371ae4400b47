//! `shunt ctl delete-runner`: what goes, what stays, and who cannot make it go.

use super::enrolment::{install_system, traces};
use super::house::{House, host};
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

#[test]
fn a_runner_of_the_system_mode_leaves_its_host_as_it_was() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    let before = traces(&host);
    install_system(&house, &host);
    host.run_inside(
        "visudo -c && stat -c '%U %a' /etc/sudoers.d/shuntyard-runner | grep -x 'root 440' && \
         stat -c '%U %a' /var/lib/shuntyard/retire-runner | grep -x 'root 755' && \
         stat -c '%U %a' /var/lib/shuntyard/retire-hashes | grep -x 'root 600'",
    );
    assert_eq!(house.shunt(&["run", "--quiet", "--", "id", "-un"]).text(), "job_runner\n");
    let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y"]);
    ran.expect(0, &["removed key", "sudoers", "user", "runner u1 is removed"]);
    assert!(!ran.stderr.contains("left on the host"), "{}", ran.stderr);
    assert_eq!(traces(&host), before);
    assert_eq!(house.api("runners"), serde_json::json!([]));
}

#[test]
fn a_job_cannot_remove_its_runner_or_do_anything_else_as_root() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    install_system(&house, &host);
    let program = "/var/lib/shuntyard/retire-runner";
    let zeros = "0".repeat(64);
    let hash = host.run_inside("cut -d' ' -f1 /var/lib/shuntyard/retire-hashes");
    for attempt in [
        "sudo -n id".to_owned(),
        "sudo -n /bin/sh".to_owned(),
        "echo id | sudo -n /bin/sh -s".to_owned(),
        format!("sudo -n /bin/sh {program} x"),
        format!("sudo -n /bin/sh {program} </dev/null"),
        format!("echo ab {zeros} 1 | sudo -n /bin/sh {program}"),
        format!("echo ab {hash} 1 | sudo -n /bin/sh {program}"),
        format!("printf 'ab \\n 1' | sudo -n /bin/sh {program}"),
        format!("yes 0 | tr -d '\\n' | sudo -n /bin/sh {program}"),
        format!("echo ab {zeros} 1 | (ulimit -n 3; sudo -n /bin/sh {program})"),
        format!("echo ab {zeros} 1 | PATH=$PWD:$PATH ENV=$PWD/x BASH_ENV=$PWD/x sudo -n /bin/sh {program}"),
        "cat /var/lib/shuntyard/retire-hashes".to_owned(),
        "echo x >>/var/lib/shuntyard/retire-runner".to_owned(),
        "cat /etc/sudoers.d/shuntyard-runner".to_owned(),
        "rm -f /var/lib/shuntyard/.ssh/authorized_keys && ! test -e /var/lib/shuntyard/.ssh/authorized_keys".to_owned(),
    ] {
        let script =
            format!("printf 'echo {hash}\\n' >sha256sum; chmod +x sha256sum; echo 'id >/tmp/ran' >x; {attempt}");
        let ran = house.shunt(&["run", "--quiet", "--", "sh", "-c", &script]);
        assert_ne!(ran.code, 0, "`{attempt}` has worked: {ran:?}");
    }
    host.run_inside("! test -e /tmp/ran && test -e /var/lib/shuntyard/.ssh/authorized_keys && visudo -c");
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    house.shunt(&["ctl", "delete-runner", "u1", "-y"]).expect(0, &["removed key"]);
}

#[test]
fn without_sudo_a_system_runner_says_what_root_must_do_and_stays_until_forced() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    install_system(&house, &host);
    host.run_inside("rm /etc/sudoers.d/shuntyard-runner");
    let by_hand = "rm -rf /var/lib/shuntyard /etc/sudoers.d/shuntyard-runner && userdel job_runner";
    let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y"]);
    ran.expect(
        1,
        &["failed: step clean", "sudo: a password is required", "--force", by_hand, "left behind: the wrapper"],
    );
    assert_eq!(house.api("runners")[0]["hostname"], "u1");
    let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y", "--force"]);
    ran.expect(0, &["left on the host: the wrapper /var/lib/shuntyard/wrapper-", by_hand, "runner u1 is removed"]);
    assert_eq!(house.api("runners"), serde_json::json!([]));
    host.run_inside("test -e /var/lib/shuntyard/runner");
    host.exec_inside("pkill -KILL -U job_runner");
    host.run_inside(by_hand);
}

#[test]
fn two_names_of_one_machine_are_removed_one_after_the_other() {
    let host = host("u1", UBUNTU_2204);
    let house = House::start();
    let before = traces(&host);
    install_system(&house, &host);
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", "other", "deploy", "--address", &host.address, "-p", &port, "-y"];
    let words = [&words[..], &["--password-stdin"]].concat();
    house.begin_with_input(&words, format!("{DEPLOY_PASSWORD}\n").as_bytes()).end().expect(0, &[]);
    let ran = house.shunt(&["ctl", "delete-runner", "u1", "-y"]);
    ran.expect(0, &["removed key", "has the key of another runner"]);
    house.shunt(&["ctl", "test-runner", "other"]).expect(0, &[]);
    house.shunt(&["ctl", "delete-runner", "other", "-y"]).expect(0, &["removed key"]);
    assert_eq!(traces(&host), before);
}
