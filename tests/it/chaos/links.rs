//! Links that fail in every way while jobs run: how soon that is noticed, and how soon jobs are followed again.

use std::time::Duration;

use serde_json::Value;

use super::api::Api;
use super::stopwatch::time_until;
use super::witness::{Truth, script};
use crate::cli::house::{House, LIMIT, await_that};
use crate::support::sshd::{Fault, HostSpec, TestHost};

/// What is promised: a dead link is noticed, and a job is followed again after the path has healed.
pub const NOTICED_WITHIN: Duration = Duration::from_secs(20);
const FOLLOWED_WITHIN: Duration = Duration::from_secs(5);

/// A host with a network of its own.
pub fn far_host(hostname: &str) -> TestHost {
    TestHost::start(HostSpec {
        hostname: hostname.into(),
        max_sessions: 40,
        host_key_types: vec!["ed25519"],
        own_network: true,
        ..HostSpec::default()
    })
}

/// A way to lose a link.
struct Accident {
    name: &'static str,
    sever: fn(&TestHost),
    /// How long it lasts, once it was noticed, or from its beginning when it is too short for that.
    holds_s: &'static [u64],
    noticed: bool,
    mend: fn(&TestHost),
}

/// sshd's processes for one connection.
const CONNECTIONS: &str = "-f '^sshd[^ ]*: deploy'";

const ACCIDENTS: [Accident; 7] = [
    Accident {
        name: "silence",
        sever: |host| host.fail_cable(Fault::Silence),
        holds_s: &[0, 4],
        noticed: true,
        mend: TestHost::mend_cable,
    },
    Accident {
        name: "long-silence",
        sever: |host| host.fail_cable(Fault::Silence),
        holds_s: &[12],
        noticed: true,
        mend: TestHost::mend_cable,
    },
    Accident {
        name: "short-silence",
        sever: |host| host.fail_cable(Fault::Silence),
        holds_s: &[2, 7],
        noticed: false,
        mend: TestHost::mend_cable,
    },
    Accident {
        name: "resets",
        sever: |host| host.fail_cable(Fault::Reset),
        holds_s: &[0, 6],
        noticed: true,
        mend: TestHost::mend_cable,
    },
    Accident {
        name: "connection-reset",
        sever: TestHost::abort_connections,
        holds_s: &[0, 0],
        noticed: true,
        mend: |_| (),
    },
    Accident {
        name: "sshd-child-stopped",
        sever: |host| drop(host.run_inside(&format!("pkill -STOP {CONNECTIONS}"))),
        holds_s: &[0],
        noticed: true,
        mend: |host| drop(host.run_inside(&format!("pkill -CONT {CONNECTIONS}"))),
    },
    Accident {
        name: "sshd-restarted",
        sever: TestHost::kill_sshd,
        holds_s: &[0, 5],
        noticed: true,
        mend: TestHost::restart,
    },
];

/// What was measured of one accident.
struct Measured {
    name: &'static str,
    held: u64,
    noticed: Option<Duration>,
    followed: Duration,
}

/// A job that talks until it is told to stop.
fn talker(name: &str) -> String {
    script(name, "n=0\nuntil [ -e ~/go ]; do n=$((n+1)); say line $n; sleep 0.05; done\nleave 7\n")
}

/// Waits until the job is known to run and its output comes.
fn await_talking(house: &House, api: &Api, id: &str) {
    let talks = || api.job(id)["state"] == "running" && api.log_bytes(id) > 0;
    await_that("the job talks", talks, || house.log());
}

/// Lets one host's link fail as often as the accident says, under a job of its own.
fn suffer(house: &House, host: &TestHost, accident: &Accident) -> Vec<Measured> {
    let (api, name) = (Api::of(house), accident.name);
    let id = api.submit(name, Some(name), &talker(name)).expect("an id");
    await_talking(house, &api, &id);
    let mut measured = Vec::new();
    for held in accident.holds_s {
        let since = api.contact(name)["since"].clone();
        (accident.sever)(host);
        let gone = |contact: &Value| contact["status"] == "unreachable" || contact["since"] != since;
        let noticed =
            accident.noticed.then(|| time_until("the dead link is noticed", LIMIT, || gone(&api.contact(name))));
        std::thread::sleep(Duration::from_secs(*held));
        assert_eq!(api.job(&id)["state"], "running", "{name}: silence is no evidence");
        (accident.mend)(host);
        let stored = api.log_bytes(&id);
        let followed = time_until("the job is followed again", LIMIT, || api.log_bytes(&id) > stored);
        measured.push(Measured { name, held: *held, noticed, followed });
    }
    host.run_inside("touch /home/deploy/go");
    await_that("the job has ended", || api.job(&id)["state"] == "failed", || api.job(&id).to_string());
    Truth::of(host, name).check_ended(&api, &id);
    measured
}

#[test]
fn a_dead_link_of_any_kind_is_noticed_in_20_s_and_its_jobs_are_followed_5_s_after_it_heals() {
    let hosts: Vec<TestHost> = ACCIDENTS.iter().map(|accident| far_host(accident.name)).collect();
    let bystander = far_host("bystander");
    let slots: Vec<_> = hosts.iter().chain([&bystander]).map(|host| (host, 2)).collect();
    let house = House::with(&slots);
    let api = Api::of(&house);
    let quiet = api.submit("bystander", Some("bystander"), &talker("bystander")).expect("an id");
    await_talking(&house, &api, &quiet);
    let since = api.contact("bystander")["since"].clone();
    let mut measured = Vec::new();
    std::thread::scope(|scope| {
        let suffering = ACCIDENTS.iter().zip(&hosts).map(|(accident, host)| {
            let house = &house;
            scope.spawn(move || suffer(house, host, accident))
        });
        for sufferer in suffering.collect::<Vec<_>>() {
            measured.extend(sufferer.join().expect("an accident that went well"));
        }
    });
    eprintln!("{:<20} {:>7} {:>9} {:>11}", "accident", "held s", "noticed s", "followed s");
    for Measured { name, held, noticed, followed } in &measured {
        let noticed = noticed.map_or_else(|| "-".into(), |took| format!("{:.1}", took.as_secs_f32()));
        eprintln!("{name:<20} {held:>7} {noticed:>9} {:>11.1}", followed.as_secs_f32());
    }
    for Measured { name, held, noticed, followed } in &measured {
        assert!(noticed.is_none_or(|took| took <= NOTICED_WITHIN), "{name}: noticed after {noticed:?}");
        assert!(*followed <= FOLLOWED_WITHIN, "{name}, held {held} s: followed again after {followed:?}");
    }
    bystander.run_inside("touch /home/deploy/go");
    await_that("it has ended", || api.job(&quiet)["state"] == "failed", || api.job(&quiet).to_string());
    Truth::of(&bystander, "bystander").check_ended(&api, &quiet);
    assert_eq!(api.contact("bystander")["since"], since, "another host's connection suffered");
}
