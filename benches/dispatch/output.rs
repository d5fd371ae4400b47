//! Much output: over a plain channel, and as a whole job into the stored log.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use bytes::Bytes;
use shuntyard::ssh::ChannelEvent;
use tokio::task::{block_in_place, spawn_blocking};

use crate::Scale;
use crate::ground::Ground;
use crate::table::{Goal, Samples, Table};

/// Pieces (of at most 32 KiB) between channel and disk.
const WAITING_PIECES: usize = 256;

pub async fn all(ground: &Ground, scale: Scale, table: &mut Table) {
    let command = format!("exec head -c {} /dev/zero", scale.output_bytes);
    let mib = scale.output_bytes as f64 / f64::from(1 << 20);
    let mut sides: [(Samples, Samples); 3] = Default::default();
    let mut peak = [0_u64; 3];
    for _ in 0..scale.output_rounds {
        let [to_null, to_file, as_job] = &mut sides;
        to_null.1.push(master(ground, &command, false));
        to_null.0.push(grown(&mut peak[0], channel(ground, &command, scale.output_bytes, false)).await);
        to_file.1.push(master(ground, &command, true));
        to_file.0.push(grown(&mut peak[1], channel(ground, &command, scale.output_bytes, true)).await);
        as_job.1.push(master(ground, &command, true));
        as_job.0.push(grown(&mut peak[2], job(ground, &command, scale.output_bytes)).await);
    }
    let names = ["output to /dev/null", "output to a file", "output as a whole job, log synced"];
    for ((name, (ours, theirs)), peak) in names.into_iter().zip(&sides).zip(peak) {
        let goal = if name.contains("/dev/null") { Goal::None } else { Goal::AtLeast(0.9) };
        table.rate(&format!("{mib:.0} MiB {name}"), "MiB/s", mib, ours, theirs, goal);
        table.note(format!("peak memory of {mib:.0} MiB {name}: + {:.1} MiB", peak as f64 / 1024.0));
    }
}

fn master(ground: &Ground, command: &str, to_file: bool) -> Duration {
    let path = ground.file("theirs");
    let began = Instant::now();
    block_in_place(|| ground.master.run(command, to_file.then_some(path.as_path())));
    let took = began.elapsed();
    let _ = std::fs::remove_file(path);
    took
}

async fn channel(ground: &Ground, command: &str, bytes: u64, to_file: bool) -> Duration {
    let path = ground.file("ours");
    let began = Instant::now();
    let (pieces, mut inbox) = tokio::sync::mpsc::channel::<Bytes>(WAITING_PIECES);
    let into = path.clone();
    let writer = to_file.then(|| {
        spawn_blocking(move || {
            let mut file = BufWriter::with_capacity(256 << 10, File::create(into).expect("a file"));
            while let Some(piece) = inbox.blocking_recv() {
                file.write_all(&piece).expect("the disk");
            }
            file.flush().expect("the disk");
        })
    });
    let mut lease = ground.pool.lease_job(&ground.target).await.expect("a slot");
    let mut channel = lease.open(command).await.expect("a channel");
    let mut got = 0;
    loop {
        match channel.events.recv().await.expect("a last event") {
            ChannelEvent::Stdout(piece) => {
                got += piece.len() as u64;
                if writer.is_some() {
                    pieces.send(piece).await.expect("the writer");
                }
            }
            ChannelEvent::Closed => break,
            event @ (ChannelEvent::Disconnected | ChannelEvent::Overflow) => panic!("{event:?} after {got} bytes"),
            _ => (),
        }
    }
    drop(pieces);
    if let Some(writer) = writer {
        writer.await.expect("the writer");
    }
    assert_eq!(got, bytes);
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
