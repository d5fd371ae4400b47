//! Dispatch over one real sshd, beside the OpenSSH client with ControlMaster in the same run.
//!
//! `cargo bench --bench dispatch [-- --quick]` prints a table of ratios; docs/PERFORMANCE.md explains it. Samples of
//! both sides alternate, so that what else the machine does falls on both. Without `--bench` (as `cargo test` starts
//! it) every case runs once, small, and is checked but not judged. Needs root, as the SSH tests do.

#[path = "dispatch/ground.rs"]
mod ground;
#[path = "dispatch/latency.rs"]
mod latency;
#[path = "dispatch/openssh.rs"]
mod openssh;
#[path = "dispatch/output.rs"]
mod output;
#[allow(dead_code, unused_imports)]
#[path = "../tests/it/support/mod.rs"]
mod support;
#[path = "dispatch/table.rs"]
mod table;
#[path = "dispatch/trees.rs"]
mod trees;

use ground::Ground;
use table::Table;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Samples of one latency, per side.
    samples: usize,
    /// Jobs of one round with eight at a time, and how many rounds.
    burst: usize,
    rounds: usize,
    output_bytes: u64,
    output_rounds: usize,
    /// Files of 16 KiB in one tree, and how many trees.
    tree_files: usize,
    tree_rounds: usize,
}

const SMOKE: Scale =
    Scale { samples: 2, burst: 8, rounds: 1, output_bytes: 1 << 20, output_rounds: 1, tree_files: 20, tree_rounds: 1 };
const QUICK: Scale = Scale {
    samples: 100,
    burst: 100,
    rounds: 3,
    output_bytes: 128 << 20,
    output_rounds: 3,
    tree_files: 1000,
    tree_rounds: 3,
};
const FULL: Scale = Scale {
    samples: 500,
    burst: 400,
    rounds: 5,
    output_bytes: 1 << 30,
    output_rounds: 3,
    tree_files: 6400,
    tree_rounds: 5,
};

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
    let scale = match (given("--bench"), given("--quick") || std::env::var_os("SHUNT_BENCH_QUICK").is_some()) {
        (false, _) => SMOKE,
        (true, true) => QUICK,
        (true, false) => FULL,
    };
    let only = |case: &str| {
        let named: Vec<&String> =
            arguments.iter().filter(|a| ["exec", "job", "line", "output", "tree"].contains(&a.as_str())).collect();
        named.is_empty() || named.iter().any(|a| a.as_str() == case)
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let ground = Ground::prepare().await;
        let mut table = Table::default();
        if only("exec") {
            latency::plain_exec(&ground, scale, &mut table).await;
        }
        if only("job") {
            latency::whole_job(&ground, scale, &mut table).await;
            latency::whole_jobs_at_once(&ground, scale, &mut table).await;
        }
        if only("line") {
            latency::line(&ground, scale, &mut table).await;
        }
        if only("output") {
            output::whole_job(&ground, scale, &mut table).await;
        }
        if only("tree") {
            trees::to_the_runner(&ground, scale, &mut table).await;
        }
        table.print();
        ground.stop().await;
    });
}
