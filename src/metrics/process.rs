//! What the kernel says about this process, under the names that Prometheus' own libraries use.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Clock ticks of `/proc/PID/stat`: 100 a second on every Linux, whatever the kernel's own.
const TICKS_PER_S: f64 = 100.0;

/// What can be read now; a figure that cannot is left out.
pub(super) fn figures() -> Vec<(&'static str, f64)> {
    let mut figures = Vec::new();
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        figures.extend(kib("VmRSS:").map(|kib| ("process_resident_memory_bytes", kib * 1024.0)));
        figures.extend(kib("VmSize:").map(|kib| ("process_virtual_memory_bytes", kib * 1024.0)));
        figures.extend(kib("Threads:").map(|threads| ("process_threads", threads)));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The directory that is being read is one itself.
        let open = open.count().saturating_sub(1);
        figures.extend(u32::try_from(open).map(|open| ("process_open_fds", f64::from(open))));
    }
    #[allow(clippy::cast_precision_loss)]
    figures.extend(getrlimit(Resource::Nofile).current.map(|most| ("process_max_fds", most as f64)));
    figures.extend(cpu_seconds().map(|seconds| ("process_cpu_seconds_total", seconds)));
    figures
}

/// User and system time; the name of the program, in parentheses, may hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut behind_the_name = stat.rsplit_once(") ")?.1.split_whitespace();
    let user: f64 = behind_the_name.nth(11)?.parse().ok()?;
    let system: f64 = behind_the_name.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}
