//! Latencies and rates of short things: an exec, a whole job, a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::time::{Duration, Instant};

use shuntyard::ssh::ExecLimits;
use tokio::task::{block_in_place, spawn_blocking};

use crate::Scale;
use crate::ground::{Ground, SLOTS};
use crate::table::{Goal, Samples, Table};

/// Runs before the samples, which count nothing.
const WARM_UP: usize = 5;

fn master_exec(ground: &Ground) -> Duration {
    let began = Instant::now();
    block_in_place(|| ground.master.run("true", None));
    began.elapsed()
}

async fn pool_exec(ground: &Ground) -> Duration {
    let began = Instant::now();
    let mut lease = ground.pool.lease_job(&ground.target).await.expect("a slot");
    let output = lease.exec("true", Vec::new(), ExecLimits::default()).await.expect("an answer");
    assert_eq!(output.exit_status, Some(0));
    began.elapsed()
}

/// `true` on a warm connection.
pub async fn plain_exec(ground: &Ground, scale: Scale, table: &mut Table) {
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for at in 0..scale.samples + WARM_UP.min(scale.samples) {
        let (a, b) = (master_exec(ground), pool_exec(ground).await);
        if at >= WARM_UP.min(scale.samples) {
            theirs.push(a);
            ours.push(b);
        }
    }
    table.latency("plain exec of `true`", &ours, &theirs, Goal::AtMost(0.35));
}

async fn job(ground: &Ground) -> Duration {
    let began = Instant::now();
    let job = ground.submit("true").await;
    ground.finished(&job, 0).await;
    began.elapsed()
}

/// From submit to the stored result and the complete log, one job at a time.
pub async fn whole_job(ground: &Ground, scale: Scale, table: &mut Table) {
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for at in 0..scale.samples + WARM_UP.min(scale.samples) {
        let (a, b) = (master_exec(ground), job(ground).await);
        if at >= WARM_UP.min(scale.samples) {
            theirs.push(a);
            ours.push(b);
        }
    }
    table.latency("whole job, one at a time", &ours, &theirs, Goal::AtMost(1.3));
}

/// As many jobs as fit, beside as many clients: the time of `burst` of them.
pub async fn whole_jobs_at_once(ground: &Ground, scale: Scale, table: &mut Table) {
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for _ in 0..scale.rounds {
        let began = Instant::now();
        block_in_place(|| {
            std::thread::scope(|scope| {
                for _ in 0..SLOTS {
                    scope.spawn(|| (0..scale.burst / SLOTS).for_each(|_| ground.master.run("true", None)));
                }
            });
        });
        theirs.push(began.elapsed());
        let before = ground.dispatcher.store().stats();
        let began = Instant::now();
        let lanes = (0..SLOTS).map(|_| async {
            for _ in 0..scale.burst / SLOTS {
                job(ground).await;
            }
        });
        futures_util::future::join_all(lanes).await;
        ours.push(began.elapsed());
        let after = ground.dispatcher.store().stats();
        let jobs = (scale.burst / SLOTS * SLOTS) as f64;
        let per_job = |count: u64| count as f64 / jobs;
        eprintln!(
            "  8 at a time: {:.2} writes and {:.2} commits a job",
            per_job(after.writes - before.writes),
            per_job(after.commits - before.commits)
        );
    }
    let jobs = (scale.burst / SLOTS * SLOTS) as f64;
    table.rate("whole jobs, 8 at a time", "jobs/s", jobs, &ours, &theirs, Goal::AtLeast(1.5));
}

/// The remote side of `line`: no fork between the wake-up and the line.
fn echo_script(pipe: &str) -> String {
    format!("exec 3<>{pipe}; while read -r word <&3; do echo \"$word\"; [ \"$word\" != end ] || exit 0; done")
}

/// From a remote line's cause (a byte in a FIFO that the remote shell reads) until it is seen here: through our feed
/// and log, and on the pipe of the ssh client.
pub async fn line(ground: &Ground, scale: Scale, table: &mut Table) {
    ground.host.run_inside("cd /home/deploy && mkfifo ours theirs && chown deploy: ours theirs");
    let fifo = |name: &str| {
        let path = ground.host.path(&format!("home/deploy/{name}"));
        File::options().read(true).write(true).open(path).expect("a FIFO")
    };
    let (mut our_pipe, mut their_pipe) = (fifo("ours"), fifo("theirs"));
    let mut client = ground.master.pipe(&echo_script("/home/deploy/theirs"));
    let mut client_output = BufReader::new(client.stdout.take().expect("a pipe"));
    let job = ground.submit(echo_script("/home/deploy/ours")).await;
    let mut pulse = ground.dispatcher.feed().job(job.id);
    let attempt = shuntyard_domain::ids::AttemptId { job: job.id, attempt: 1 };
    let logs = ground.dispatcher.logs().clone();
    let (mut ours, mut theirs, mut seen) = (Samples::default(), Samples::default(), 0_u64);
    for at in 0..scale.samples + 1 {
        let began = Instant::now();
        let mut text = String::new();
        block_in_place(|| {
            their_pipe.write_all(b"x\n").expect("the FIFO");
            client_output.read_line(&mut text).expect("the pipe");
        });
        let their_time = began.elapsed();
        let began = Instant::now();
        our_pipe.write_all(b"x\n").expect("the FIFO");
        pulse.wait_for(|p| p.log_bytes > seen).await.expect("the feed");
        let (reader, from) = (logs.clone(), seen);
        let chunk = spawn_blocking(move || reader.read(attempt, from, 64)).await.expect("a thread").expect("the log");
        let our_time = began.elapsed();
        assert_eq!((text.as_str(), chunk.as_slice()), ("x\n", &b"x\n"[..]));
        seen += 2;
        if at > 0 {
            theirs.push(their_time);
            ours.push(our_time);
        }
    }
    their_pipe.write_all(b"end\n").expect("the FIFO");
    our_pipe.write_all(b"end\n").expect("the FIFO");
    block_in_place(|| client.wait()).expect("the client");
    ground.finished(&job, seen + 4).await;
    table.latency("a line, written to seen", &ours, &theirs, Goal::None);
}
