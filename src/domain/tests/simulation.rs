//! The promises of docs/STATES.md under crashes, cuts, late messages, reboots and full disks, by seed.
//!
//! A world of one or two runners and dispatchers that follow each other drives the real core: `job::transition`,
//! `board`, `recovery` and `output`. `SHUNT_SIMULATION_HISTORIES=N` runs N histories, `SHUNT_SIMULATION_SEED=S` one.

mod simulation {
    mod client;
    pub mod defect;
    mod disks;
    mod dispatcher;
    mod faults;
    mod follow;
    mod host;
    mod link;
    mod processes;
    mod proof;
    mod random;
    mod store;
    mod task;
    mod truth;
    mod verbs;
    pub mod world;
}

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use simulation::defect::Defect;
use simulation::world;

const HISTORIES: u64 = 100_000;
/// Within so many histories each planted defect must show.
const DEFECT_HISTORIES: u64 = 10_000;

#[expect(clippy::disallowed_methods, reason = "how much is run is asked of the environment, what happens is not")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `0..histories` on every processor; the first seed found that breaks a promise.
fn search(histories: u64, defect: Option<Defect>) -> Option<u64> {
    let (next, found, failed) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let work = || {
        while !found.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return;
            }
            if world::run(seed, defect, false).is_err() {
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
    let one = asked("SHUNT_SIMULATION_SEED");
    let failed = one.or_else(|| search(asked("SHUNT_SIMULATION_HISTORIES").unwrap_or(HISTORIES), None));
    if let Some(seed) = failed
        && let Err(history) = world::run(seed, None, true)
    {
        panic!("seed {seed} breaks a promise:\n{history}\nAgain: SHUNT_SIMULATION_SEED={seed}");
    }
}

#[test]
fn every_planted_defect_is_found() {
    for defect in Defect::ALL {
        let seed = search(DEFECT_HISTORIES, Some(defect));
        let Some(seed) = seed else { panic!("{defect:?} was not found in {DEFECT_HISTORIES} histories") };
        let broken = world::run(seed, Some(defect), false).unwrap_err();
        println!("{defect:?}: seed {seed}: {broken}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        let told = |_| world::run(seed, Some(Defect::NoFence), true);
        assert_eq!(told(1), told(2));
    }
}
