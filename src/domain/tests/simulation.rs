//! The promises of docs/STATES.md under crashes, cuts, late messages, reboots and full disks, by seed.
//!
//! A world of one or two runners and one or two dispatchers drives the real core: `job::transition`, `board`, `recovery`
//! and `output`. `SHUNT_SIMULATION_HISTORIES=N` runs N histories. `SHUNT_SIMULATION_SEED=S` tells one of them,
//! `SHUNT_SIMULATION_DEFECT=NAME` with that mistake planted.

mod simulation {
    mod client;
    pub mod defect;
    mod disks;
    mod dispatcher;
    mod faults;
    mod follow;
    mod host;
    mod keeper;
    mod link;
    mod processes;
    pub mod promise;
    mod proof;
    mod random;
    mod rest;
    mod store;
    mod task;
    mod truth;
    mod verbs;
    pub mod world;
}

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use shuntyard_domain::outcome::{LostEvidence, NotRunReason, Outcome};
use simulation::defect::Defect;
use simulation::promise::Promise;
use simulation::world;

const HISTORIES: u64 = 100_000;
/// Within so many histories each planted defect must show.
const DEFECT_HISTORIES: u64 = 10_000;

#[expect(clippy::disallowed_methods, reason = "how much is run is asked of the environment, what happens is not")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn asked_number(name: &str) -> Option<u64> {
    asked(name).map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

fn asked_defect() -> Option<Defect> {
    asked("SHUNT_SIMULATION_DEFECT").map(|name| {
        let found = Defect::ALL.into_iter().find(|defect| format!("{defect:?}") == name);
        found.unwrap_or_else(|| panic!("SHUNT_SIMULATION_DEFECT={name} is none of {:?}", Defect::ALL))
    })
}

/// The line to type for this history, told step by step.
fn again(seed: u64, defect: Option<Defect>) -> String {
    let defect = defect.map(|defect| format!(" SHUNT_SIMULATION_DEFECT={defect:?}")).unwrap_or_default();
    let test = "cargo test -p shuntyard-domain --test simulation every_promise -- --nocapture";
    format!("again: SHUNT_SIMULATION_SEED={seed}{defect} {test}")
}

/// Runs `0..histories` on every processor; the first seed that breaks a promise of these.
fn search(histories: u64, defect: Option<Defect>, promises: &[Promise]) -> Option<u64> {
    let (next, found, failed) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let work = || {
        while !found.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return;
            }
            if world::run(seed, defect, false).broken.is_some_and(|broken| promises.contains(&broken.promise)) {
                failed.fetch_min(seed, Ordering::Relaxed);
                found.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    found.into_inner().then(|| failed.into_inner())
}

#[test]
fn every_promise_holds_in_every_history() {
    let (one, defect) = (asked_number("SHUNT_SIMULATION_SEED"), asked_defect());
    let histories = asked_number("SHUNT_SIMULATION_HISTORIES").unwrap_or(HISTORIES);
    let Some(seed) = one.or_else(|| search(histories, defect, &Promise::ALL)) else { return };
    let told = world::run(seed, defect, true);
    println!("{}", told.history.join("\n"));
    if let Some(broken) = told.broken {
        panic!("seed {seed} breaks {:?}: {}\n{}", broken.promise, broken.detail, again(seed, defect));
    }
}

#[test]
fn each_planted_defect_is_found_and_each_promise_can_be_broken() {
    for defect in Defect::ALL {
        let promise = defect.breaks();
        let seed = search(DEFECT_HISTORIES, Some(defect), &[promise]);
        let Some(seed) = seed else { panic!("{defect:?} breaks no {promise:?} in {DEFECT_HISTORIES} histories") };
        println!("{defect:?} breaks {promise:?}; {}", again(seed, Some(defect)));
    }
    let breakable: BTreeSet<Promise> = Defect::ALL.into_iter().map(Defect::breaks).collect();
    assert_eq!(breakable, Promise::ALL.into_iter().collect());
}

#[test]
fn the_histories_reach_every_end_and_every_proof() {
    let mut wanted: BTreeSet<&str> = Outcome::ALL.iter().map(|word| word.as_str()).collect();
    wanted.extend(LostEvidence::ALL.iter().map(|word| word.as_str()));
    wanted.extend(NotRunReason::ALL.iter().map(|word| word.as_str()));
    wanted.extend(["truncated", "a refused start", "a fence that holds", "an answer that proves nothing"]);
    wanted.insert("two dispatchers");
    for seed in 0..DEFECT_HISTORIES {
        let reached = world::run(seed, None, false).reached;
        wanted.retain(|word| !reached.contains(word));
        if wanted.is_empty() {
            return;
        }
    }
    panic!("no history of {DEFECT_HISTORIES} reaches {wanted:?}");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        let told = |_| world::run(seed, Some(Defect::NoFence), true);
        assert_eq!(told(1), told(2));
    }
}
