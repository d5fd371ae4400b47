//! Much output, as a whole job into the stored log.

use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use crate::Scale;
use crate::ground::Ground;
use crate::table::{Goal, Samples, Table};

/// From submit to the stored result and the whole log on disk, beside a client that writes a file.
pub async fn whole_job(ground: &Ground, scale: Scale, table: &mut Table) {
    let command = format!("exec head -c {} /dev/zero", scale.output_bytes);
    let mib = scale.output_bytes as f64 / f64::from(1 << 20);
    let (mut ours, mut theirs, mut peak) = (Samples::default(), Samples::default(), 0);
    for _ in 0..scale.output_rounds {
        theirs.push(master(ground, &command));
        ours.push(grown(&mut peak, job(ground, &command, scale.output_bytes)).await);
    }
    table.rate(&format!("{mib:.0} MiB of output"), "MiB/s", mib, &ours, &theirs, Goal::AtLeast(0.9));
    table.note(format!("peak memory during {mib:.0} MiB of output: + {:.1} MiB", peak as f64 / 1024.0));
}

fn master(ground: &Ground, command: &str) -> Duration {
    let path = ground.file("theirs");
    let began = Instant::now();
    block_in_place(|| {
        ground.master.run(command, Some(&path));
        // A finished job's log is on disk.
        std::fs::File::open(&path).and_then(|file| file.sync_data()).expect("the disk");
    });
    let took = began.elapsed();
    let _ = std::fs::remove_file(path);
    took
}

async fn job(ground: &Ground, command: &str, bytes: u64) -> Duration {
    let began = Instant::now();
    let job = ground.submit(command).await;
    ground.finished(&job, bytes).await;
    let took = began.elapsed();
    // The log is not needed any more, and several of them may not fit a small disk.
    let name = format!("{}.log", job.attempt_id());
    for dir in std::fs::read_dir(ground.file("logs")).expect("the logs").flatten() {
        let _ = std::fs::remove_file(dir.path().join(&name));
    }
    took
}

/// Runs `work` and keeps the most by which the process's resident memory (KiB) grew meanwhile.
async fn grown(peak: &mut u64, work: impl Future<Output = Duration>) -> Duration {
    // Resets the high-water mark (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").expect("the high-water mark");
    let before = status_kib("VmRSS:");
    let took = work.await;
    *peak = (*peak).max(status_kib("VmHWM:").saturating_sub(before));
    took
}

fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}
