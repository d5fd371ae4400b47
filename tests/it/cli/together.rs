//! Two bootstraps of one host: at once, and one after the other under another name.

use super::client::{Client, Ran};
use super::house::{House, host};
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost, UBUNTU_2204};

/// Begins a bootstrap as the login user.
fn begin(house: &House, host: &TestHost, name: &str) -> Client {
    let port = host.port.to_string();
    let words = ["ctl", "install-runner", name, "deploy", "--address", &host.address, "-p", &port];
    let flags = ["-y", "--no-sudo", "--password-stdin"];
    house.begin_with_input(&[&words[..], &flags[..]].concat(), format!("{DEPLOY_PASSWORD}\n").as_bytes())
}

#[test]
fn of_two_bootstraps_at_once_one_is_refused_and_the_other_works() {
    for names in [["u1", "u1"], ["u1", "u2"]] {
        let host = host("u1", UBUNTU_2204);
        let house = House::start();
        let begun = names.map(|name| begin(&house, &host, name));
        let ended = begun.map(Client::end);
        let (good, refused): (Vec<&Ran>, Vec<&Ran>) = ended.iter().partition(|ran| ran.code == 0);
        assert_eq!((good.len(), refused.len()), (1, 1), "{ended:#?}");
        refused[0].expect(1, &["is under way"]);
        let runners = house.api("runners");
        assert_eq!(runners.as_array().map(Vec::len), Some(1), "{runners}");
        let name = runners[0]["hostname"].as_str().expect("a name").to_owned();
        house.shunt(&["ctl", "test-runner", &name]).expect(0, &[]);
        // Nothing holds the claims any more.
        begin(&house, &host, &name).end().expect(0, &[]);
        let keys = host.run_inside("grep -c job_runner@ /home/deploy/.ssh/authorized_keys");
        assert_eq!(keys, "1");
    }
}

#[test]
fn a_bootstrap_that_fails_leaves_an_enrolled_runner_of_the_same_host_as_it_was() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned();
    let files = || host.run_inside(&format!("ls {base} | grep -v '^j$'; cat /home/deploy/.ssh/authorized_keys"));
    let before = files();
    // A host whose jobs do not start fails its Test.
    host.run_inside("mount --bind /bin/false /usr/bin/setsid");
    let ran = begin(&house, &host, "u2").end();
    host.run_inside("umount /usr/bin/setsid");
    ran.expect(1, &["failed: step job", "rolled back: key"]);
    assert_eq!(files(), before);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
}
