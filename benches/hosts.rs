//! A thousand hosts connected at once: what a warm connection costs in memory, in time to make, and in CPU while it is idle.
//!
//! `cargo bench --bench hosts [-- --quick] [pool] [engine]` prints a table; docs/PERFORMANCE.md explains it. The hosts are
//! embedded ones in a process of their own, so that what is measured is the dispatcher's side alone. Without `--bench` (as
//! `cargo test` starts it) every case runs once, small, and is checked but not judged. Needs neither root nor sshd.

#[path = "hosts/crowd.rs"]
mod crowd;
#[path = "hosts/engine.rs"]
mod engine;
#[path = "hosts/gauge.rs"]
mod gauge;
#[path = "hosts/pool.rs"]
mod pool;

use std::process::Command;
use std::time::Duration;

use crowd::Crowd;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    hosts: usize,
    /// How long connections are left alone.
    idle: Duration,
}

const CASES: [&str; 2] = ["pool", "engine"];
const SMOKE: Scale = Scale { hosts: 12, idle: Duration::from_millis(500) };
const QUICK: Scale = Scale { hosts: 100, idle: Duration::from_secs(6) };
const FULL: Scale = Scale { hosts: 1_000, idle: Duration::from_secs(20) };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |word: &str| arguments.iter().any(|a| a == word);
    if given("--list") {
        // What test runners ask for.
        if !given("--ignored") {
            println!("smoke: test");
        }
        return;
    }
    gauge::raise_open_files();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(asked) = crowd::asked() {
        return runtime.block_on(crowd::serve(asked));
    }
    let scale = match (given("--bench"), given("--quick") || std::env::var_os("SHUNT_BENCH_QUICK").is_some()) {
        (false, _) => SMOKE,
        (true, true) => QUICK,
        (true, false) => FULL,
    };
    if !CASES.iter().any(|case| given(case)) {
        return each_by_itself(&arguments);
    }
    let crowd = Crowd::start(scale.hosts);
    println!("{} hosts in a process of their own, on this machine", scale.hosts);
    if given("pool") {
        runtime.block_on(pool::measure(&crowd, scale));
    }
    if given("engine") {
        runtime.block_on(engine::measure(&crowd, scale));
    }
}

/// A case would find the memory that an earlier one has given back, so each has a process.
fn each_by_itself(arguments: &[String]) {
    for case in CASES {
        let mut command = Command::new(std::env::current_exe().expect("our own program"));
        let ended = command.args(arguments.iter().filter(|a| a.starts_with("--"))).arg(case).status();
        assert!(ended.expect("a process").success(), "the case {case} has failed");
    }
}
