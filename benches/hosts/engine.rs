//! The whole engine: a dispatcher that starts with every host in its inventory.

use std::time::Duration;

use shuntyard::blobs::{BlobLimits, BlobStore};
use shuntyard::clock::Clock;
use shuntyard::dispatch::{DialOut, Dispatcher, Local, Parts};
use shuntyard::logs::LogStore;
use shuntyard::outgoing::{Caller, CallerSettings};
use shuntyard::sealed::Sealer;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::inbound::Tunnels;
use shuntyard::ssh::{Pool, fingerprint};
use shuntyard::store::{Store, StoreError, StoreOptions, StoreUrl, runner_insert};
use shuntyard_domain::board::Placement;
use shuntyard_domain::runner::{Endpoint, Runner};
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::{InstallRunner, StepEvent};
use shuntyard_domain::workspace::Limits;
use tempfile::TempDir;

use crate::Scale;
use crate::crowd::{Crowd, USER};
use crate::gauge::{Meter, memory_kib, row};
use crate::pool::idle;

const BLOBS: BlobLimits = BlobLimits {
    workspace: Limits { max_entries: 1_000, max_bytes: 1 << 20 },
    store_bytes: 1 << 30,
    min_free_bytes: 0,
};
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub async fn measure(crowd: &Crowd, scale: Scale) {
    let data = tempfile::Builder::new().prefix("shunt-bench-data-").tempdir().expect("a directory");
    fill(&data, crowd).await;
    let (hosts, before_kib) = (scale.hosts as f64, memory_kib());
    let meter = Meter::begin(crowd.id());
    let (dispatcher, pool) = start(&data).await;
    let connections = || crowd.targets.iter().filter(|target| pool.connection_count(target.runner) > 0).count();
    while connections() < scale.hosts {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    row("engine", "from the start until all have a connection (s)", format!("{:.2}", meter.used().wall_s));
    // They answer a hello and list their spools, too, which takes the hosts' shells.
    while greeted(&dispatcher).await < scale.hosts {
        tokio::time::sleep(LOOK_EVERY * 5).await;
    }
    let used = meter.used();
    row("engine", "until all have said who they are (s)", format!("{:.2}", used.wall_s));
    let each = |cpu_s: f64| cpu_s * 1e3 / hosts;
    let value = format!("{:.2}, {:.2}, {:.2}", each(used.ours_s), each(used.hosts_s), each(used.started_s));
    row("engine", "CPU for one: dispatcher, host, the host's shells (ms)", value);
    tokio::time::sleep(scale.idle / 4).await;
    row("engine", "memory of one runner (KiB)", format!("{:.0}", (memory_kib() - before_kib) / hosts));
    idle("engine", crowd, scale, before_kib).await;
    dispatcher.stop().await;
    dispatcher.store().clone().close().await;
}

/// Enrols the first host by the real bootstrap, and the others by copies of its record.
async fn fill(data: &TempDir, crowd: &Crowd) {
    let (dispatcher, _) = start(data).await;
    let first = &crowd.targets[0];
    let request = InstallRunner {
        address: Some(first.dial.address.clone()),
        port: first.dial.port,
        user: USER.to_owned(),
        password: None,
        private_key: Some(crowd.private_key.to_string()),
        passphrase: None,
        host_key: fingerprint(&first.host_keys[0]),
        no_sudo: true,
        one_off: false,
        labels: None,
        capabilities: None,
        scope: None,
        slots: Some(1),
        jump: None,
    };
    let mut steps = dispatcher.install("first".to_owned(), request).expect("a good request");
    let mut last = None;
    while let Some(step) = steps.recv().await {
        last = Some(step);
    }
    assert!(matches!(last, Some(StepEvent::Finished { .. })), "the bootstrap ended with {last:?}");
    let template = (*dispatcher.runner("first").expect("the first runner")).clone();
    let sealer = Sealer::from_key_file(&data.path().join("master.key")).expect("the key");
    let records: Vec<(Runner, Vec<u8>)> = crowd
        .targets
        .iter()
        .map(|target| {
            let endpoint = Endpoint {
                address: target.dial.address.clone(),
                port: target.dial.port,
                user: USER.to_owned(),
                host_keys: target.host_keys.clone(),
                via: Via::Direct,
            };
            let (id, hostname) = (target.runner, format!("h{}", target.dial.port));
            let context = format!("runner:{id}:private_key");
            let sealed = sealer.seal(&context, crowd.private_key.as_bytes()).expect("a sealed key");
            (
                Runner { id, hostname, endpoint, openssh_public_key: crowd.public_key.clone(), ..template.clone() },
                sealed,
            )
        })
        .collect();
    let id = template.id;
    let write = move |c: &mut shuntyard::store::Connection| -> Result<(), StoreError> {
        shuntyard::store::runner_delete(c, id)?;
        records.iter().try_for_each(|(runner, sealed)| runner_insert(c, runner, sealed))
    };
    dispatcher.store().write(write).await.expect("stored runners");
    dispatcher.stop().await;
    dispatcher.store().clone().close().await;
}

async fn greeted(dispatcher: &Dispatcher) -> usize {
    let bodies = dispatcher.runner_bodies().await.expect("the runners");
    bodies.iter().filter(|body| body.contact.status == "connected").count()
}

/// A dispatcher as the daemon starts it, and its pool.
async fn start(data: &TempDir) -> (Dispatcher, Pool) {
    let url = StoreUrl::parse(&format!("sqlite:{}", data.path().join("bench.sqlite").display())).expect("a url");
    let pool = Pool::new(&Tasks::new());
    let tunnels = Tunnels::new(&Tasks::new(), Clock::system(), pool.settings());
    let parts = Parts {
        store: Store::open(&url, StoreOptions::default()).expect("a store"),
        logs: LogStore::open(&data.path().join("logs")).expect("a log directory"),
        blobs: BlobStore::open(&data.path().join("blobs"), BLOBS).expect("a directory of workspaces"),
        clock: Clock::system(),
        sealer: Sealer::from_key_file(&data.path().join("master.key")).expect("a key"),
        pool: pool.clone(),
        tasks: Tasks::new(),
        placement: Placement::LeastLoaded,
        runner_min_free_bytes: 0,
        spool_cap_bytes: 8 << 30,
        quotas: Default::default(),
        artifacts_max_bytes: 1 << 30,
        enrolment_approval: false,
        check_every: None,
        metrics: shuntyard::metrics::Metrics::default(),
        retention: shuntyard::dispatch::Retention::default(),
        local: Local::default(),
        dial_out: DialOut { tunnels, endpoint: None },
        caller: Caller::new(&CallerSettings::default()).expect("a client"),
        command_template: None,
    };
    (Dispatcher::start(parts).await.expect("an engine"), pool)
}
