//! Connections alone: the pool, told to connect to every host at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::Pool;

use crate::Scale;
use crate::crowd::Crowd;
use crate::gauge::{InFlight, Meter, memory_kib, row};

pub async fn measure(crowd: &Crowd, scale: Scale) {
    let tasks = Tasks::new();
    let pool = Pool::new(&tasks);
    let hosts = scale.hosts as f64;
    let (before_kib, in_flight, meter) = (memory_kib(), InFlight::watch(), Meter::begin(crowd.id()));
    let made = &in_flight.made;
    let connected = join_all(crowd.targets.iter().map(|target| async {
        pool.warm(target).await.expect("a connection");
        made.fetch_add(1, Ordering::Relaxed);
    }));
    connected.await;
    let used = meter.used();
    let after_kib = memory_kib();
    row("pool", "until all are connected (s)", format!("{:.2}", used.wall_s));
    row("pool", "connections made a second", format!("{:.0}", hosts / used.wall_s));
    row("pool", "at most being made at a time (looked every 5 ms)", in_flight.most().to_string());
    row(
        "pool",
        "CPU for one: dispatcher, host (ms)",
        format!("{:.2}, {:.2}", used.ours_s * 1e3 / hosts, used.hosts_s * 1e3 / hosts),
    );
    row("pool", "memory of one (KiB)", format!("{:.0}", (after_kib - before_kib) / hosts));
    idle("pool", crowd, scale, before_kib).await;
    assert!(crowd.targets.iter().all(|target| pool.connection_count(target.runner) == 1), "a connection was lost");
    pool.close().await;
    assert!(tasks.stop(Duration::from_secs(10)).await);
}

/// What connections cost that nobody uses.
pub async fn idle(case: &str, crowd: &Crowd, scale: Scale, before_kib: f64) {
    let meter = Meter::begin(crowd.id());
    tokio::time::sleep(scale.idle).await;
    let used = meter.used();
    let share = |cpu_s: f64| 100.0 * cpu_s / used.wall_s;
    let value = format!("{:.2}, {:.2}", share(used.ours_s), share(used.hosts_s));
    row(case, &format!("CPU of all while idle, {:.0} s: dispatcher, hosts (%)", used.wall_s), value);
    let hosts = scale.hosts as f64;
    row(case, "memory of one after that (KiB)", format!("{:.0}", (memory_kib() - before_kib) / hosts));
}
