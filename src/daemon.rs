//! The composition root: starts every layer in order and stops it in order.

mod entrance;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use shuntyard_domain::board::Placement;
use shuntyard_domain::wire::dial_out::DialOutEndpointBody;
use shuntyard_domain::workspace::Limits;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

pub use entrance::certificate;

use crate::backup;
use crate::blobs::{BlobLimits, BlobStore};
use crate::clock::Clock;
use crate::config::{Config, DataPaths, Kept, PlacementRule};
use crate::dispatch::{DialOut, Dispatcher, Parts, Quotas, Retention};
use crate::http::{self, AdminToken, Api, OpenStreams, RateLimits, Rates};
use crate::local::LocalMachine;
use crate::logs::LogStore;
use crate::metrics::Metrics;
use crate::outgoing::{Caller, CallerSettings};
use crate::rotation::refuse_half_a_rotation;
use crate::sealed::{Sealer, make_key_file, read_key_file};
use crate::shutdown::Tasks;
use crate::ssh::inbound::{DIAL_OUT_USER, Inbound, Tunnels};
use crate::ssh::{Pool, Settings, fingerprint};
use crate::store::{
    Connection, Store, StoreError, StoreOptions, StoreUrl, jump_host_list, pool_list, runner_list, secret_count,
    webhook_count,
};
use crate::systemd;

/// How long answers under way may take once the daemon stops.
const HTTP_DEADLINE: Duration = Duration::from_secs(5);

/// How long tunnels may take to be cut.
const INBOUND_DEADLINE: Duration = Duration::from_secs(2);

/// A running daemon.
pub struct Daemon {
    dispatcher: Dispatcher,
    store: Store,
    local: Option<LocalMachine>,
    server: Tasks,
    /// The endpoint for hosts that dial out, and their tunnels.
    inbound: Tasks,
    address: SocketAddr,
    /// Held while the daemon runs: two daemons on one data directory would fight over its files.
    _lock: File,
}

impl Daemon {
    /// Starts everything; when this answers, the API accepts requests.
    ///
    /// # Errors
    /// The first layer that could not start, with the path or address it is about.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let paths = config.paths();
        paths.create().context("see [data] dir")?;
        let lock = lock(&paths.lock)?;
        let clock = Clock::system();
        let url = StoreUrl::parse(&config.store.url).context("see [store] url")?;
        let metrics = Metrics::default();
        let options = StoreOptions { metrics: metrics.clone(), ..StoreOptions::default() };
        let store = Store::open(&url, options).with_context(|| format!("cannot open the store {url}"))?;
        backup::take_up(&paths, &store, clock.now_ms()).await?;
        let logs = LogStore::open(&paths.logs)?.capped(config.output.cap_bytes).timed(clock.clone());
        let blobs = BlobStore::open(&paths.blobs, blob_limits(config))?;
        let caller = Caller::new(&caller_settings(config))?;
        let sealer = open_sealer(&paths, &store).await?;
        AdminToken::ensure(&paths.admin_token, &store, clock.now_ms()).await?;
        // Bound before the engine starts: a port that is taken must not leave connections behind.
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {} ([server] listen)", config.server.listen))?;
        let address = listener.local_addr()?;
        let server = Tasks::new();
        let door = entrance::open(config, address, &clock, &server)?;
        // Jobs' tasks and the pool say goodbye through the tunnels.
        let inbound = Tasks::new();
        let (dial_out, endpoint) = dial_out(config, &paths.dial_out_key, &clock, &inbound).await?;
        // Before the engine, which connects to it at once.
        let (local, machine) = LocalMachine::prepare(config, &store).await?;
        let tasks = Tasks::new();
        // Not a child of `tasks`: connections outlive the jobs' tasks, which say goodbye over them.
        let pool = Pool::with_settings(&Tasks::new(), connection_settings(config));
        let dispatcher = Dispatcher::start(Parts {
            store: store.clone(),
            logs,
            blobs,
            clock,
            sealer,
            tasks,
            pool,
            caller,
            placement: placement(config.dispatch.placement)?,
            runner_min_free_bytes: config.workspaces.runner_min_free_bytes,
            spool_cap_bytes: config.output.spool_cap_bytes,
            quotas: quotas(config),
            artifacts_max_bytes: config.artifacts.max_bytes,
            command_template: config.pipelines.command.clone(),
            enrolment_approval: config.enrolment.approval,
            dial_out,
            local,
            check_every: config.health.check_every,
            metrics,
            retention: retention(config),
        })
        .await
        .context("cannot take up what is in the store")?;
        if let Some(machine) = &machine {
            machine.enrol(&dispatcher).await;
        }
        // Only now: a host whose key is not loaded yet would be refused.
        endpoint.into_iter().for_each(Inbound::serve);
        let limits = &config.limits;
        let rates = RateLimits { token_per_s: limits.requests_per_s, address_per_s: limits.anonymous_per_s };
        let (metrics_open, streams) = (config.metrics.open, OpenStreams::new(limits.streams));
        let api = Api { dispatcher: dispatcher.clone(), metrics_open, rates: Arc::new(Rates::new(rates)), streams };
        server.spawn(info_span!("http"), |stop| http::serve(listener, door, api, stop));
        tracing::info!(%address, data_dir = %paths.data_dir.display(), "ready");
        systemd::ready(&server, &dispatcher, &address);
        Ok(Self { dispatcher, store, local: machine, server, inbound, address, _lock: lock })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Stops in order: no new requests, jobs detach and go on, connections close, the store finishes.
    pub async fn stop(self) {
        systemd::stopping();
        tracing::info!("stopping; running jobs go on and are taken up at the next start");
        let http = self.server.stop(HTTP_DEADLINE);
        let engine = self.dispatcher.stop();
        tokio::join!(http, engine);
        self.inbound.stop(INBOUND_DEADLINE).await;
        // After the goodbyes, which go over it.
        if let Some(local) = &self.local {
            local.stop().await;
        }
        self.store.close().await;
    }
}

/// Resolves on the first SIGINT or SIGTERM.
///
/// # Errors
/// When the process may not handle signals.
pub async fn stop_signal() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
    Ok(())
}

/// Runs the daemon until a signal or `stop`.
///
/// # Errors
/// As `Daemon::start`.
pub async fn serve(config: &Config, stop: CancellationToken) -> anyhow::Result<()> {
    let daemon = Daemon::start(config).await?;
    tokio::select! {
        stopped = stop_signal() => stopped?,
        () = stop.cancelled() => (),
    }
    daemon.stop().await;
    Ok(())
}

/// A new key would open none of the keys that are stored: it is only made for a database without runners and secrets.
async fn open_sealer(paths: &DataPaths, store: &Store) -> anyhow::Result<Sealer> {
    let master_key = &paths.master_key;
    refuse_half_a_rotation(paths)?;
    if !master_key.exists() {
        let (runners, secrets) = (store.read(runner_list).await?.len(), store.read(sealed_count).await?);
        if runners > 0 || secrets > 0 || paths.master_key_kept != Kept::InDataDir {
            bail!(
                "the master key {} is missing, and only it opens the keys of the {runners} runner(s) and the {secrets} \
                 secret(s) in the database; put it back from its backup (mode 0400), or start with another [data] dir or database and \
                 install the runners again",
                master_key.display()
            );
        }
        make_key_file(master_key)?;
    }
    Ok(Sealer::new(&read_key_file(master_key, paths.master_key_kept == Kept::BySystemd)?))
}

/// Secrets of projects, keys of jump hosts, and what messages and calls are signed with.
fn sealed_count(c: &mut Connection) -> Result<usize, StoreError> {
    let counted = usize::try_from(secret_count(c)? + webhook_count(c)?).unwrap_or(usize::MAX);
    Ok(counted.saturating_add(pool_list(c)?.len() + jump_host_list(c)?.len()))
}

fn blob_limits(config: &Config) -> BlobLimits {
    let limits = &config.workspaces;
    BlobLimits {
        workspace: Limits { max_entries: limits.max_entries, max_bytes: limits.max_bytes },
        store_bytes: limits.store_bytes,
        min_free_bytes: limits.min_free_bytes,
    }
}

fn connection_settings(config: &Config) -> Settings {
    Settings {
        connect_deadline: config.ssh.connect_timeout,
        keepalive_interval: config.ssh.keepalive,
        keepalive_max: config.ssh.keepalive_max as usize,
        ..Settings::default()
    }
}

/// Takes the port for hosts that dial out, when there is to be one.
async fn dial_out(
    config: &Config,
    key_file: &Path,
    clock: &Clock,
    tasks: &Tasks,
) -> anyhow::Result<(DialOut, Option<Inbound>)> {
    let settings = connection_settings(config);
    let tunnels = Tunnels::new(tasks, clock.clone(), &settings);
    let Some(listen) = config.dialout.listen else { return Ok((DialOut { tunnels, endpoint: None }, None)) };
    let inbound = Inbound::bind(listen, key_file, tunnels.clone(), settings, tasks).await.context("see [dialout]")?;
    let address = inbound.address;
    let (host, port) = config.dialout.public.clone().unwrap_or_else(|| (address.ip().to_string(), address.port()));
    let fingerprint = fingerprint(&inbound.host_key).unwrap_or_default();
    tracing::info!(%address, host, port, fingerprint, "hosts may dial out to here");
    let user = DIAL_OUT_USER.to_owned();
    let host_key = inbound.host_key.clone();
    let endpoint = DialOutEndpointBody { listen: address.to_string(), host, port, user, host_key, fingerprint };
    Ok((DialOut { tunnels, endpoint: Some(endpoint) }, Some(inbound)))
}

fn caller_settings(config: &Config) -> CallerSettings {
    let said = config.outgoing.clone();
    CallerSettings { allow_http: said.allow_http, allow_networks: said.allow_networks, ca_file: said.ca_file }
}

const fn retention(config: &Config) -> Retention {
    let said = &config.retention;
    Retention {
        log_max_age: said.log_max_age,
        log_max_bytes: said.log_max_bytes,
        artifact_max_age: said.artifact_max_age,
        artifact_max_bytes: said.artifact_max_bytes,
        job_max_age: said.job_max_age,
    }
}

fn quotas(config: &Config) -> Quotas {
    let limits = &config.limits;
    Quotas {
        unfinished_jobs: limits.unfinished_jobs,
        script_bytes: limits.script_bytes,
        matrix_rows: limits.matrix_rows,
        job_log_bytes: limits.job_log_bytes,
    }
}

fn placement(rule: PlacementRule) -> anyhow::Result<Placement> {
    Ok(match rule {
        PlacementRule::LeastLoaded => Placement::LeastLoaded,
        PlacementRule::Pack => Placement::Pack,
        PlacementRule::Random => {
            let mut seed = [0; 8];
            getrandom::fill(&mut seed).context("the system's random source failed")?;
            Placement::Random { seed: u64::from_ne_bytes(seed) }
        }
    })
}

/// Takes the data directory.
///
/// # Errors
/// When a daemon or a rotation has it.
pub(crate) fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another shuntd runs on this data directory (it holds {}); stop it, or choose another [data] dir",
                path.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}
