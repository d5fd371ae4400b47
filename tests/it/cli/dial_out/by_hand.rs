//! An enrolled runner whose host goes behind NAT: it dials out, and jobs go on through every accident.

use super::{await_runner, house, let_dial_out, make_key};
use crate::cli::house::{House, await_that, await_truth, truth};
use crate::support::sshd::{DEBIAN_12, Fault, HostSpec, TestHost};

/// Lines that do not repeat, until `~/go` exists.
const COUNTER: &str =
    "n=0; until [ -e ~/go ]; do n=$((n + 1)); echo \"line $n\"; echo $n >~/n; sleep 0.01; done; echo end";

fn start() -> (TestHost, House) {
    let host = TestHost::start(HostSpec {
        hostname: "nat-1".into(),
        os_release: DEBIAN_12,
        max_sessions: 40,
        host_key_types: vec!["ed25519"],
        own_network: true,
        ..HostSpec::default()
    });
    // The machine's end of the cable: the host's address is 4n + 2, ours 4n + 1.
    let (net, last) = host.address.rsplit_once('.').expect("an address");
    let ours = format!("{net}.{}", last.parse::<u32>().expect("a number") - 1);
    let (house, _) = house("0.0.0.0", &ours);
    house.enrol(&host, 4);
    (host, house)
}

/// As a router with NAT does: nobody outside begins a connection.
fn go_behind_nat(host: &TestHost) {
    let rule = "type filter hook input priority 1; iif eth0 tcp flags & (syn | ack) == syn drop;";
    host.run_inside(&format!("nft 'table inet nat {{\n chain arriving {{ {rule} }}\n}}'"));
    host.run_inside("ss -K -t -4 state established >/dev/null");
}

/// Keeps the tunnel open as the host's own means would.
fn keep_dialling(host: &TestHost, line: &str) {
    host.run_inside(&format!(
        "cd /root/tunnel; (while [ ! -e stop ]; do {line}; sleep 0.2; done) </dev/null >log 2>&1 & :"
    ));
}

fn checked_log(house: &House, id: &str) {
    let text = house.shunt(&["logs", id]).text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 20, "{text}");
    for (n, line) in lines[..lines.len() - 1].iter().enumerate() {
        assert_eq!(*line, format!("line {}", n + 1), "the log has a hole or a repeated line");
    }
    assert_eq!(lines.last(), Some(&"end"));
}

fn await_progress(host: &TestHost) {
    let at = || truth(host, "n").trim().parse::<u32>().unwrap_or(0);
    let before = at();
    await_that("the job prints on", || at() > before + 5, || truth(host, "n"));
}

#[test]
fn a_job_survives_the_death_of_tunnel_link_and_dispatcher_without_a_hole_in_its_log() {
    let (host, mut house) = start();
    go_behind_nat(&host);
    let public = make_key(&house, &host, "/root/tunnel");
    let line = let_dial_out(&house, "nat-1", &public).replace("127.0.0.1", &host.address);
    await_runner(&house, "nat-1", "it waits for its host", |runner| {
        runner["contact"]["status"] == "unreachable" && runner["contact"]["reason"] == "waits for the host to dial out"
    });
    let waiting = &house.api("runners/nat-1")["contact"];
    assert!(waiting["next_try_at"].is_null() && waiting["tries"] == 0, "somebody polls: {waiting}");
    keep_dialling(&host, &line);
    house.await_contact(&host, "connected");
    let runner = house.api("runners/nat-1");
    assert!(runner["dial_out"]["peer"].as_str().is_some_and(|peer| peer.starts_with(&host.address)), "{runner}");
    house.shunt(&["ctl", "show-runner", "nat-1"]).expect(0, &["tunnel up since", &host.address]);

    let id = house.submit(&[], COUNTER);
    await_truth(&host, "n", "1");
    // The tunnel's process dies.
    host.run_inside("pkill -KILL -x ssh");
    await_progress(&host);
    house.await_contact(&host, "connected");
    // The link falls silent, and nobody is told; the dispatcher notices by itself.
    host.fail_cable(Fault::Silence);
    await_runner(&house, "nat-1", "the dead tunnel is noticed", |runner| runner["dial_out"]["up"] == false);
    host.mend_cable();
    house.await_contact(&host, "connected");
    await_progress(&host);
    // The dispatcher dies.
    house.kill();
    await_progress(&host);
    house.start_again();
    house.await_contact(&host, "connected");
    await_progress(&host);
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&id)["state"], "succeeded");
    checked_log(&house, &id);
}

#[test]
fn a_second_host_with_the_same_key_is_turned_away_and_direct_connections_come_back() {
    let (host, house) = start();
    let public = make_key(&house, &host, "/root/tunnel");
    let line = let_dial_out(&house, "nat-1", &public).replace("127.0.0.1", &host.address);
    keep_dialling(&host, &line);
    await_runner(&house, "nat-1", "the tunnel is up", |runner| runner["dial_out"]["up"] == true);
    house.await_contact(&host, "connected");
    let since = house.api("runners/nat-1")["dial_out"]["since"].clone();
    let output = host.exec_inside(&format!("cd /root/tunnel; timeout 30 {line}"));
    assert_eq!(output.status.code(), Some(255), "the second one is not refused: {output:?}");
    let runner = house.api("runners/nat-1");
    assert_eq!(runner["dial_out"]["since"], since, "the first tunnel did not stay");
    assert!(runner["dial_out"]["turned_away"]["peer"].is_string(), "{runner}");
    house.shunt(&["ctl", "show-runner", "nat-1"]).expect(0, &["a copied key?"]);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    // A host that was half dead comes anew: the old tunnel does not answer and makes room.
    host.run_inside("touch /root/tunnel/stop; pkill -STOP -x ssh");
    host.run_inside(&format!("cd /root/tunnel; {line} </dev/null >log 2>&1 & :"));
    await_runner(&house, "nat-1", "another tunnel is up", |runner| {
        runner["dial_out"]["up"] == true && runner["dial_out"]["since"] != since
    });
    house.await_contact(&host, "connected");

    house.shunt(&["ctl", "dial-out", "nat-1"]).expect(2, &["--key-file", "--stop"]);
    house.shunt(&["ctl", "dial-out", "nat-1", "--stop"]).expect(0, &["is connected to directly"]);
    house.await_contact(&host, "connected");
    assert!(house.api("runners/nat-1")["dial_out"].is_null());
    await_that(
        "the key opens nothing any more",
        || host.exec_inside(&format!("cd /root/tunnel; timeout 30 {line}")).status.code() == Some(255),
        || house.log(),
    );
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    house.shunt(&["ctl", "dial-out", "nat-1", "--stop"]).expect(1, &["does not dial out"]);
}
