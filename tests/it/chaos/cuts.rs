//! A cable that is cut at the worst moment: while a job is started, while it is stopped, while its output pours.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{ChannelEvent, Credential, Session, Settings};

use super::api::Api;
use super::links::{NOTICED_WITHIN, far_host};
use super::witness::{Truth, script};
use crate::cli::house::{House, await_that, await_truth};
use crate::support::sshd::{Fault, TestHost};

/// Both faults, each on a host of its own with a house of its own.
fn with_each_fault(check: fn(&TestHost, &House, Fault)) {
    std::thread::scope(|scope| {
        for fault in [Fault::Silence, Fault::Reset] {
            scope.spawn(move || {
                let host = far_host("far");
                let house = House::with(&[(&host, 1)]);
                check(&host, &house, fault);
                // A fence that was needed goes at the next connect.
                host.restart();
                house.await_empty_spool(&host);
            });
        }
    });
}

/// Makes the wrapper's function wait at its beginning until the file `go` is in the home directory of `deploy`.
fn hold(host: &TestHost, house: &House, function: &str) {
    let base = house.api("runners/far")["base_dir"].as_str().expect("a base directory").to_owned();
    let wait = "echo held >>/home/deploy/held; until [ -e /home/deploy/go ]; do sleep 0.05; done";
    host.run_inside(&format!(
        "sed -i 's|^{function}() {{$|&\\n  {wait}|' {base}/wrapper-*; grep -q /home/deploy/held {base}/wrapper-*"
    ));
}

fn go(host: &TestHost) {
    host.run_inside("touch /home/deploy/go");
}

/// Waits for the end of a job that was left alone, and compares it with its truth.
fn check_end(host: &TestHost, api: &Api, id: &str) -> Value {
    let ended = || !api.job(id)["finished_at"].is_null();
    await_that("the job has ended", ended, || api.job(id).to_string());
    Truth::of(host, "far").check_ended(api, id);
    api.job(id)
}

#[test]
fn a_job_whose_start_went_into_a_cut_cable_starts_once_when_the_cable_is_mended() {
    with_each_fault(|host, house, fault| {
        let api = Api::of(house);
        host.fail_cable(fault);
        // The dispatcher does not know yet: the intent is stored, and the start is sent to nobody.
        let id = api.submit("far", None, &script("far", "say hello\nleave 5\n")).expect("an id");
        house.await_contact(host, "unreachable");
        let state = api.job(&id)["state"].to_string();
        assert!(state.contains("starting") || state.contains("queued"), "{state}: silence is no evidence");
        assert_eq!(Truth::of(host, "far").starts, 0);
        host.mend_cable();
        check_end(host, &api, &id);
    });
}

#[test]
fn a_start_that_arrived_before_the_cut_is_not_sent_again() {
    with_each_fault(|host, house, fault| {
        let api = Api::of(house);
        // The claim and the spool are made, and nothing has been answered.
        hold(host, house, "follow");
        let id = api.submit("far", None, &script("far", "say hello\nleave 5\n")).expect("an id");
        await_truth(host, "held", "held");
        host.fail_cable(fault);
        go(host);
        house.await_contact(host, "unreachable");
        await_that("it has run", || Truth::of(host, "far").exit_code == Some(5), || house.log());
        let state = api.job(&id)["state"].clone();
        // Before a reset the host's `ok` may have come.
        assert!(state == "starting" || fault == Fault::Reset && state == "running", "{state}: no evidence");
        host.mend_cable();
        assert_eq!(check_end(host, &api, &id)["attempt"], 1);
    });
}

#[test]
fn a_cancel_that_went_into_a_cut_cable_is_carried_out_when_the_cable_is_mended() {
    with_each_fault(|host, house, fault| {
        let api = Api::of(house);
        let id = api.submit("far", None, &script("far", "say up\nsleep 7241\nleave 0\n")).expect("an id");
        let up = || api.job(&id)["state"] == "running" && api.log_bytes(&id) > 0;
        await_that("it runs", up, || house.log());
        host.fail_cable(fault);
        house.shunt(&["cancel", &id]).expect(0, &[]);
        house.await_contact(host, "unreachable");
        assert_eq!(api.job(&id)["state"], "running", "nobody has confirmed the stop");
        host.run_inside("pgrep -f 'sleep 724[1]'");
        host.mend_cable();
        let job = house.await_end(&id);
        assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
        assert_eq!(job["receipt"]["left"]["count"], 0, "{job}");
        host.run_inside("! pgrep -f 'sleep 724[1]'");
        Truth::of(host, "far").check_stopped_log(&api, &id, &job);
    });
}

#[test]
fn a_flood_that_is_cut_off_arrives_whole_when_the_cable_is_mended() {
    let host = far_host("far");
    let house = House::with(&[(&host, 1)]);
    let api = Api::of(&house);
    let flood =
        "n=0; while [ $n -lt 60 ]; do n=$((n+1)); head -c 1000000 ~/noise | keep; echo $n >~/n; sleep 0.02; done";
    host.run_inside("head -c 1000000 /dev/urandom >/home/deploy/noise; chown deploy: /home/deploy/noise");
    let id = api.submit("far", None, &script("far", &format!("{flood}\nleave 3\n"))).expect("an id");
    await_that("it pours", || api.log_bytes(&id) > 5_000_000, || house.log());
    for fault in [Fault::Silence, Fault::Reset] {
        host.fail_cable(fault);
        house.await_contact(&host, "unreachable");
        host.mend_cable();
        house.await_contact(&host, "connected");
    }
    check_end(&host, &api, &id);
    house.await_empty_spool(&host);
}

#[tokio::test]
async fn a_dead_link_is_noticed_also_while_nobody_takes_the_output_that_came_over_it() {
    for max_queued_bytes in [1 << 20, usize::MAX] {
        let host = far_host("far");
        // Given up for its unread output, or kept with it.
        let settings = Settings { max_queued_bytes, ..Settings::default() };
        let key = Credential::Key(host.client_key.clone());
        let (tasks, dial) = (Tasks::new(), host.dial("deploy"));
        let session = Session::connect_with(&dial, &key, &host.pinned(), &tasks, &settings).await.unwrap();
        let mut stuck = session.open("yes | head -c 4000000; exec sleep 1000").await.unwrap();
        let mut other = session.open("echo up; exec cat").await.unwrap();
        assert_eq!(other.events.recv().await, Some(ChannelEvent::Stdout(Bytes::from_static(b"up\n"))));
        // Given up already, perhaps.
        let _ = stuck.input.send(Bytes::from_static(b"x")).await;
        host.fail_cable(Fault::Silence);
        let began = Instant::now();
        let noticed = tokio::time::timeout(Duration::from_secs(60), session.closed()).await;
        assert!(noticed.is_ok() && began.elapsed() <= NOTICED_WITHIN, "noticed after {:?}", began.elapsed());
        assert_eq!(other.events.recv().await, Some(ChannelEvent::Disconnected));
        drop(stuck);
    }
}
