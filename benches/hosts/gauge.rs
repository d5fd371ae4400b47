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

/// Seconds of processor time that a process (`self`, or a number) has used, and its children that have ended.
fn cpu_s(process: &str) -> [f64; 2] {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("its stat");
    let behind_name = stat.rsplit(") ").next().expect("fields");
    let ticks: Vec<f64> = behind_name.split(' ').skip(11).take(4).map(|n| n.parse().expect("a number")).collect();
    [(ticks[0] + ticks[1]) / TICKS_A_SECOND, (ticks[2] + ticks[3]) / TICKS_A_SECOND]
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

/// What a while has used: wall seconds, and processor seconds of ours, of the hosts, and of what the hosts started.
#[derive(Clone, Copy)]
pub struct Used {
    pub wall_s: f64,
    pub ours_s: f64,
    pub hosts_s: f64,
    pub started_s: f64,
}

/// Measures `Used` from its beginning.
pub struct Meter {
    began: Instant,
    before: [[f64; 2]; 2],
    hosts: String,
}

impl Meter {
    pub fn begin(hosts: u32) -> Self {
        let hosts = hosts.to_string();
        Self { began: Instant::now(), before: [cpu_s("self"), cpu_s(&hosts)], hosts }
    }

    pub fn used(&self) -> Used {
        let [ours, hosts] = self.before;
        let (ours_now, hosts_now) = (cpu_s("self"), cpu_s(&self.hosts));
        Used {
            wall_s: self.began.elapsed().as_secs_f64(),
            ours_s: ours_now[0] - ours[0],
            hosts_s: hosts_now[0] - hosts[0],
            started_s: hosts_now[1] - hosts[1],
        }
    }
}

/// One line of the table.
pub fn row(case: &str, what: &str, value: String) {
    println!("| {case:<6} | {what:<58} | {value:>16} |");
}
