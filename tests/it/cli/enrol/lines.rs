//! The line in all its forms, and what a host and the inventory look like after it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{Line, Said, curl, enrol, hide_curl, make_token};
use crate::cli::enrolment::{expect_jobs_run, expect_untouched, login_key, only_runner, settle_in, traces};
use crate::cli::house::{House, host};
use crate::support::sshd::{CENTOS_7, HostSpec, TestHost, UBUNTU_2204};

#[test]
fn a_host_enrols_itself_from_user_data_as_its_token_says() {
    let host = TestHost::start(HostSpec { hostname: "u1".into(), os_release: UBUNTU_2204, ..HostSpec::default() });
    let house = House::start();
    assert_eq!(house.shunt(&["api", "post", "orgs", "-d", "{\"name\":\"acme\"}"]).code, 0);
    let flags = ["--label", "gpu,zone=eu", "--slots", "3", "--scope", "acme", "--cidr", "127.0.0.0/8", "--ttl", "10m"];
    let token = make_token(&house, &flags);
    let listed = house.shunt(&["ctl", "list-tokens"]);
    listed.expect(0, &["rack 7", &token[..9], "good", "gpu,zone=eu", "acme", "127.0.0.0/8"]);
    assert!(!listed.text().contains(&token), "a list shows the token: {}", listed.text());

    // As cloud-init runs user data: a file, with hardly any environment.
    let url = format!("http://{}", house.address());
    let data = format!(
        "#!/bin/sh\nexport SHUNT_ENROL_TOKEN={token} SHUNT_ENROL_PORT={}\ncurl -fsS {url}/enrol.sh | sh -s {url}\n",
        host.port
    );
    fs::write(host.path("/run/user-data"), data).unwrap();
    let said =
        Said::from(host.exec_inside("chmod 700 /run/user-data; cd /; exec env -i PATH=\"$PATH\" /run/user-data"));
    said.expect(
        0,
        &["enrol: login: job_runner at 127.0.0.1:", "enrol: job: started", "enrol: u1 is enrolled and takes jobs"],
    );

    let runner = only_runner(&house);
    for (name, value) in [
        ("hostname", json!("u1")),
        ("state", json!("enrolled")),
        ("user", json!("job_runner")),
        ("platform_version", json!("22.04")),
        ("labels", json!(["gpu", "zone=eu"])),
        ("scope", json!({"org": "acme"})),
        ("slots", json!(3)),
        ("system_mode", json!(true)),
    ] {
        assert_eq!(runner[name], value, "{name} of {runner}");
    }
    assert_eq!(runner["health"]["status"], "ok", "{runner}");
    assert_eq!(runner["host_keys"].as_array().map(Vec::len), Some(3), "{runner}");
    let authorized = host.run_inside("cat /var/lib/shuntyard/.ssh/authorized_keys");
    let public = runner["openssh_public_key"].as_str().unwrap();
    assert!(authorized.starts_with("restrict,command=") && authorized.ends_with(public.trim_end()), "{authorized}");
    let tokens = house.api("enrolment-tokens");
    assert_eq!((&tokens[0]["state"], &tokens[0]["runner"]), (&json!("used"), &json!("u1")), "{tokens}");
    assert_eq!(tokens[0]["runner_id"], runner["id"]);
}

#[test]
fn every_shell_and_client_enrols_and_a_deleted_runner_leaves_the_host_as_it_was() {
    let (host, house) = (host("c1", CENTOS_7), House::start());
    ["deploy", "bob"].iter().for_each(|user| settle_in(&host, user));
    hide_curl(&host);
    let before = traces(&host);
    for (user, shell, client, account) in [
        ("root", "bash", "wget -qO-", "job_runner"),
        ("bob", "busybox ash", "busybox wget -qO-", "bob"),
        ("deploy", "dash", "curl -fsS", "deploy"),
        ("bob", "mksh", "wget -qO-", "bob"),
    ] {
        let token = make_token(&house, &[]);
        let said = enrol(&house, &host, &Line { user, shell, client, token: &token, more: &[] });
        said.expect(0, &["enrol: c1 is enrolled and takes jobs"]);
        let runner = only_runner(&house);
        assert_eq!((&runner["user"], &runner["scope"]), (&json!(account), &json!("enterprise")), "{shell} {client}");
        house.await_contact(&host, "connected");
        expect_jobs_run(&house, account);
        assert_eq!(house.shunt(&["ctl", "delete-runner", "c1", "-y"]).code, 0);
        expect_untouched(&house, &host, &before);
    }
}

#[test]
fn the_script_runs_over_ssh_with_the_token_on_its_input() {
    let (host, house) = (host("s1", CENTOS_7), House::start());
    let (token, key) = (make_token(&house, &["--name", "renamed"]), login_key(&house, &host, "deploy"));
    let (status, script) = curl(&house, &[], "/enrol.sh");
    assert_eq!(status, 200);
    let input = house.home().join("input");
    fs::write(&input, format!("SHUNT_ENROL_TOKEN={token}\n{script}")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]);
    command.args(["-o", "UserKnownHostsFile=/dev/null", "-i"]).arg(&key).args(["-p", &host.port.to_string()]);
    // No port is named: sshd tells it to those who log in.
    command.args(["deploy@127.0.0.1", "sh", "-s", &format!("http://{}", house.address())]);
    let output = command.stdin(fs::File::open(&input).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    Said::from(output.unwrap()).expect(0, &["enrol: renamed is enrolled and takes jobs"]);
    let runner = only_runner(&house);
    assert_eq!((&runner["hostname"], &runner["port"]), (&json!("renamed"), &json!(host.port)), "{runner}");
}
