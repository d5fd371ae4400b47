//! What this process uses, and the table.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The kernel's USER_HZ, the unit of times in `/proc/PID/stat`.
const TICKS_A_SECOND: f64 = 100.0;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Takes as many open files as may be had: a host process needs three for each host.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Resident memory in KiB.
pub fn memory_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("our own status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Seconds of processor time that a process has used: `self`, or a number.
pub fn cpu_s(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("its stat");
    let behind_name = stat.rsplit(") ").next().expect("fields");
    let ticks: f64 = behind_name.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().expect("a number")).sum();
    ticks / TICKS_A_SECOND
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Watches how many connections are being made at a time: open files that are not yet connections.
pub struct InFlight {
    pub made: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    watcher: JoinHandle<()>,
}

impl InFlight {
    pub fn watch() -> Self {
        let (made, most, done) = (Arc::default(), Arc::default(), Arc::default());
        let before = open_files();
        let (seen, most_seen, stop): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicBool>) =
            (Arc::clone(&made), Arc::clone(&most), Arc::clone(&done));
        let watcher = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let made = seen.load(Ordering::Relaxed);
                most_seen.fetch_max(open_files().saturating_sub(before + made), Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { made, most, done, watcher }
    }

    /// The most that were seen at a time, by looking every 5 ms.
    pub fn most(self) -> usize {
        self.done.store(true, Ordering::Relaxed);
        self.watcher.join().expect("the watcher");
        self.most.load(Ordering::Relaxed)
    }
}

/// The use of a while: wall and processor seconds of this process and of the hosts'.
pub struct Use {
    began: Instant,
    ours_s: f64,
    theirs_s: f64,
    hosts: String,
}

impl Use {
    pub fn begin(hosts: u32) -> Self {
        let hosts = hosts.to_string();
        Self { began: Instant::now(), ours_s: cpu_s("self"), theirs_s: cpu_s(&hosts), hosts }
    }

    /// Wall seconds, ours, theirs.
    pub fn end(&self) -> (f64, f64, f64) {
        let wall_s = self.began.elapsed().as_secs_f64();
        (wall_s, cpu_s("self") - self.ours_s, cpu_s(&self.hosts) - self.theirs_s)
    }
}

/// One line of the table.
pub fn row(case: &str, what: &str, value: String) {
    println!("| {case:<6} | {what:<58} | {value:>16} |");
}
