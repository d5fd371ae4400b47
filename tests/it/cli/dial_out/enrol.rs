//! Hosts that enrol themselves and dial out: the real line, with and without root, systemd and crontab.

use std::fs;

use serde_json::json;

use super::{await_runner, house};
use crate::cli::enrol::{Line, enrol, make_token};
use crate::cli::enrolment::{expect_jobs_run, expect_untouched, only_runner, settle_in, traces};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{CENTOS_7, TestHost, UBUNTU_2204, free_port};

/// Programs in the host's /usr/local/bin: a `crontab` that keeps its lines in /run, and a `systemctl` that starts what
/// its unit says.
fn lend_programs(host: &TestHost) {
    let crontab = "#!/bin/sh\nf=/run/crontab-$(id -u)\ncase $1 in -l) exec cat \"$f\" ;; -r) exec rm \"$f\" ;; -) exec cat >\"$f\" ;; esac\n";
    let systemctl = "#!/bin/sh\necho \"$*\" >>/run/systemctl\n[ \"$1\" != restart ] || {\n\
        line=$(sed -n s/^ExecStart=//p \"/etc/systemd/system/$2\")\nsetsid $line </dev/null >/dev/null 2>&1 &\n}\n";
    host.run_inside("mkdir -p /run/bin; chmod 1777 /run");
    for (name, text) in [("crontab", crontab), ("systemctl", systemctl)] {
        fs::write(host.path(&format!("/run/bin/{name}")), text).unwrap();
    }
    // Over a directory of the machine, which only this host sees so.
    host.run_inside("chmod 755 /run/bin /run/bin/*; mount --bind /run/bin /usr/local/bin");
}

fn dials(host: &TestHost) -> String {
    host.run_inside("pgrep -af '[d]ial-out/tunnel|[d]ial-out@' || :")
}

fn delete_and_expect_untouched(house: &House, host: &TestHost, before: &str) {
    house.shunt(&["ctl", "delete-runner", &host.spec.hostname, "-y"]).expect(0, &["removed"]);
    await_that("nobody dials out any more", || dials(host).is_empty(), || dials(host));
    expect_untouched(house, host, before);
}

#[test]
fn a_host_enrols_itself_through_its_own_tunnel_as_root_and_as_a_user() {
    let (host, (mut house, port)) = (host("n1", UBUNTU_2204), house("127.0.0.1", "127.0.0.1"));
    lend_programs(&host);
    settle_in(&host, "bob");
    let before = traces(&host);
    for (user, account, place) in
        [("root", "job_runner", "/var/lib/shuntyard"), ("bob", "bob", "/home/bob/.cache/shuntyard")]
    {
        let token = make_token(&house, &["--dial-out"]);
        house.shunt(&["ctl", "list-tokens"]).expect(0, &["DIALS-OUT"]);
        let said = enrol(&house, &host, &Line { user, ..Line::new(&token, &[]) });
        said.expect(
            0,
            &[
                &format!(
                    "enrol: dials out to 127.0.0.1 port {port}: {place}/dial-out/tunnel, started again by crontab"
                ),
                "enrol: the dispatcher comes back through the tunnel",
                "enrol: n1 is enrolled and takes jobs",
            ],
        );
        let runner = only_runner(&house);
        assert_eq!((&runner["user"], &runner["dial_out"]["up"]), (&json!(account), &json!(true)), "{runner}");
        house.await_contact(&host, "connected");
        expect_jobs_run(&house, account);
        let modes = host.run_inside(&format!("stat -c %a {place}/dial-out {place}/dial-out/key"));
        assert_eq!(modes, "700\n600", "its key can be read by others");
        let tab = host.run_inside(&format!("cat /run/crontab-$(id -u {user})"));
        assert_eq!(tab, format!("@reboot /bin/sh {place}/dial-out/tunnel >/dev/null 2>&1"));
        // The loop comes back by itself, also to a dispatcher that was away.
        house.kill();
        host.run_inside("pkill -KILL -x ssh || :");
        house.start_again();
        house.await_contact(&host, "connected");
        expect_jobs_run(&house, account);
        delete_and_expect_untouched(&house, &host, &before);
        host.run_inside("[ ! -e /run/crontab-0 ] && [ ! -e /run/crontab-$(id -u bob) ]");
    }
}

#[test]
fn where_there_is_systemd_the_tunnel_is_a_service() {
    let (host, (house, _)) = (host("n1", CENTOS_7), house("127.0.0.1", "127.0.0.1"));
    lend_programs(&host);
    host.run_inside("mkdir -p /run/systemd/system /etc/systemd/system");
    let (before, unit) = (traces(&host), "/etc/systemd/system/shuntyard-dial-out.service");
    let token = make_token(&house, &["--dial-out"]);
    let said = enrol(&house, &host, &Line::new(&token, &[]));
    said.expect(0, &["service shuntyard-dial-out.service", "enrol: n1 is enrolled and takes jobs"]);
    let text = host.run_inside(&format!("cat {unit}"));
    assert!(text.contains("ExecStart=/bin/sh /var/lib/shuntyard/dial-out/tunnel\nRestart=on-failure\n"), "{text}");
    expect_jobs_run(&house, "job_runner");
    // A job has no part in the tunnel: neither its key nor its process.
    let ran = house.shunt(&["run", "--quiet", "--", "cat", "/var/lib/shuntyard/dial-out/key"]);
    assert!(ran.code != 0 && ran.text().contains("Permission denied"), "{}", ran.text());
    delete_and_expect_untouched(&house, &host, &before);
    host.run_inside(&format!("[ ! -e {unit} ]"));
    let asked = host.run_inside("cat /run/systemctl");
    assert!(asked.contains("enable shuntyard") && asked.contains("disable shuntyard"), "{asked}");
}

#[test]
fn an_enrolment_through_a_tunnel_that_fails_takes_everything_back() {
    let (host, (house, _)) = (host("n1", CENTOS_7), house("127.0.0.1", "127.0.0.1"));
    lend_programs(&host);
    settle_in(&host, "bob");
    let (before, token) = (traces(&host), make_token(&house, &["--dial-out"]));
    let closed = format!("SHUNT_ENROL_PORT={}", free_port());
    for user in ["root", "bob"] {
        let said = enrol(&house, &host, &Line { user, ..Line::new(&token, &[&closed]) });
        said.expect(
            1,
            &[
                "the dial-out tunnel of n1 does not reach 127.0.0.1:",
                "finds no sshd there",
                "enrol: try: see that this host's end of the tunnel runs",
                "enrol: taken back what was installed",
            ],
        );
        await_that("nobody dials out any more", || dials(&host).is_empty(), || dials(&host));
        expect_untouched(&house, &host, &before);
    }
    // The endpoint shows a key that is not the one that the dispatcher named: the host does not go on.
    assert_eq!(house.api("enrolment-tokens")[0]["state"], "good");
    enrol(&house, &host, &Line::new(&token, &[])).expect(0, &["enrol: n1 is enrolled and takes jobs"]);
    await_runner(&house, "n1", "it is connected", |runner| runner["contact"]["status"] == "connected");
}
