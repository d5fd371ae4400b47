//! The engine: the board's effects become connections, commits and log bytes.
//!
//! One task (`event_loop`) owns the board. Every placement is a task (`run_job`) that talks to its
//! host, commits each step through `store::job_apply` before it acts on it, and tells the loop when
//! the slot is free. Nothing but the board and the connections lives only in memory.

mod accept_host_key;
mod access;
mod accounts;
mod ask_queue;
mod attend;
mod claims;
mod closing;
mod collect;
mod deliver;
mod dial_out;
mod drain;
mod engine_error;
mod enrol;
mod event_loop;
mod explain;
mod fan_outs;
mod feed;
mod follow;
mod git_blob;
mod install;
mod inventory;
mod job_secrets;
mod jump_hosts;
mod keeper;
mod lanes;
mod limits;
mod local;
mod log_sink;
mod masking;
mod one_off;
mod pipelines;
mod pools;
mod pulse;
mod queue;
mod queue_clock;
mod quotas;
mod recover;
mod resealing;
mod restored;
mod retention;
mod retire;
mod rotate_key;
mod run_job;
mod runner_patch;
mod runners;
mod secrets;
mod steps;
mod submit;
mod test_runner;
mod token_text;
mod uninstall;
mod webhooks;
mod workspaces;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shuntyard_domain::board::{BoardEvent, Placement};
use shuntyard_domain::command_template::CommandTemplate;
use shuntyard_domain::ids::JobId;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::info_span;
use uuid::Uuid;

use crate::blobs::BlobStore;
use crate::clock::Clock;
use crate::logs::LogStore;
use crate::metrics::Metrics;
use crate::outgoing::Caller;
use crate::sealed::Sealer;
use crate::shutdown::Tasks;
use crate::ssh::Pool;
use crate::store::{RequestKey, Store};

pub use accounts::{AccountError, Holder};
pub use dial_out::DialOut;
pub use engine_error::DispatchError;
pub use enrol::EnrolError;
pub use feed::{Feed, JobPulse, Mark, Missed, News, Removed, Thing};
pub use git_blob::git_blob_id;
pub use inventory::Contact;
pub use local::{Local, LocalHost, LocalRunner, local_runner};
pub use pipelines::{Tenant, Trigger};
pub use pools::Keep;
pub use pulse::{NotReady, PATIENCE};
pub use queue::{QueuePause, pause_restored};
pub use quotas::{OverQuota, Quota, Quotas};
pub use resealing::{ResealError, Resealed, check_sealed, open_sealed, reseal};
pub use retention::Retention;
pub use runner_patch::RunnerPatch;
pub use secrets::SecretOwner;
pub use submit::DEFAULT;
pub use uninstall::{Removal, Removing};
pub use workspaces::Upload;

use accounts::Accounts;
use claims::Claims;
use collect::Collections;
use deliver::Deliveries;
use enrol::Enrolments;
use event_loop::LoopEvent;
use fan_outs::FanOuts;
use inventory::Inventory;
use jump_hosts::JumpHosts;
use lanes::Lanes;
use pipelines::Pipelines;
use pools::Pools;
use queue::Queue;
use queue_clock::QueueClock;
use test_runner::Checks;
use workspaces::UPLOADS_AT_A_TIME;

/// How long a stopping daemon waits for its tasks to let go of their jobs.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// What the engine is made of.
pub struct Parts {
    pub store: Store,
    pub logs: LogStore,
    pub blobs: BlobStore,
    pub clock: Clock,
    pub sealer: Sealer,
    pub tasks: Tasks,
    pub pool: Pool,
    /// Makes calls to URLs that people gave.
    pub caller: Caller,
    pub placement: Placement,
    /// What a delivery leaves free on a runner's disk.
    pub runner_min_free_bytes: u64,
    /// What a job's log on its runner may take.
    pub spool_cap_bytes: u64,
    /// What a project may have.
    pub quotas: Quotas,
    /// Of the files that one job leaves.
    pub artifacts_max_bytes: u64,
    /// What a phase runs when its project does not say it.
    pub command_template: Option<CommandTemplate>,
    /// A host that enrols itself waits for a person.
    pub enrolment_approval: bool,
    pub dial_out: DialOut,
    pub local: Local,
    /// How often a connected runner is examined; `None`: never by itself.
    pub check_every: Option<Duration>,
    pub metrics: Metrics,
    pub retention: Retention,
}

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Engine>);

struct Engine {
    store: Store,
    logs: LogStore,
    blobs: BlobStore,
    clock: Clock,
    sealer: Sealer,
    tasks: Tasks,
    pool: Pool,
    caller: Caller,
    metrics: Metrics,
    spool_cap_bytes: u64,
    quotas: Quotas,
    feed: Feed,
    accounts: Accounts,
    inventory: Inventory,
    jump_hosts: JumpHosts,
    lanes: Lanes,
    claims: Claims,
    checks: Checks,
    enrolments: Enrolments,
    dial_out: DialOut,
    local: Local,
    deliveries: Deliveries,
    collections: Collections,
    uploads: Semaphore,
    /// Held over a whole sweep of workspaces.
    sweeping: tokio::sync::Mutex<()>,
    retention: Retention,
    /// Held over a whole look of retention.
    retaining: tokio::sync::Mutex<()>,
    queue: Queue,
    queue_clock: QueueClock,
    pipelines: Pipelines,
    pools: Pools,
    fan_outs: FanOuts,
    /// Held while a project's limit is stored and told to the board.
    limit_changes: tokio::sync::Mutex<()>,
    loop_events: mpsc::UnboundedSender<LoopEvent>,
    /// The cancel signal of every job that a task of this process looks after.
    active: Mutex<HashMap<JobId, CancellationToken>>,
}

impl Dispatcher {
    /// Starts the engine: loads the inventory, connects to the runners, and takes up every unfinished job.
    ///
    /// # Errors
    /// `DispatchError` when the store cannot be read or a runner's key cannot be opened.
    pub async fn start(parts: Parts) -> Result<Self, DispatchError> {
        // Unbounded: senders are request handlers and job tasks, each of which waits for its own answer elsewhere.
        let epoch = parts.clock.now_ms();
        let (loop_events, inbox) = mpsc::unbounded_channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (fan_out_asks, fan_outs_asked) = mpsc::unbounded_channel();
        let dispatcher = Self(Arc::new(Engine {
            store: parts.store,
            logs: parts.logs,
            blobs: parts.blobs,
            clock: parts.clock,
            sealer: parts.sealer,
            tasks: parts.tasks,
            pool: parts.pool,
            caller: parts.caller,
            metrics: parts.metrics,
            spool_cap_bytes: parts.spool_cap_bytes,
            quotas: parts.quotas,
            feed: Feed::new(epoch),
            accounts: Accounts::default(),
            inventory: Inventory::default(),
            jump_hosts: JumpHosts::default(),
            lanes: Lanes::default(),
            claims: Claims::default(),
            checks: Checks::new(parts.check_every),
            enrolments: Enrolments::new(parts.enrolment_approval),
            dial_out: parts.dial_out,
            local: parts.local,
            deliveries: Deliveries::new(parts.runner_min_free_bytes),
            collections: Collections::new(parts.artifacts_max_bytes),
            uploads: Semaphore::new(UPLOADS_AT_A_TIME),
            sweeping: tokio::sync::Mutex::default(),
            retention: parts.retention,
            retaining: tokio::sync::Mutex::default(),
            queue: Queue::default(),
            queue_clock: QueueClock::default(),
            pipelines: Pipelines::new(asks, parts.command_template),
            pools: Pools::new(),
            fan_outs: FanOuts::new(fan_out_asks),
            limit_changes: tokio::sync::Mutex::default(),
            loop_events,
            active: Mutex::default(),
        }));
        let engine = dispatcher.clone();
        dispatcher
            .0
            .tasks
            .spawn(info_span!("event_loop"), move |stop| event_loop::run(engine, parts.placement, inbox, stop));
        let engine = dispatcher.clone();
        dispatcher.0.tasks.spawn(info_span!("queue_clock"), move |stop| queue_clock::run(engine, stop));
        let engine = dispatcher.clone();
        dispatcher.0.tasks.spawn(info_span!("workspaces"), move |stop| workspaces::sweep_hourly(engine, stop));
        let engine = dispatcher.clone();
        dispatcher.0.tasks.spawn(info_span!("webhooks"), move |stop| webhooks::run(engine, stop));
        dispatcher.tidy_metrics();
        dispatcher.ensure_default_org().await?;
        pipelines::take_up(&dispatcher).await?;
        local::settle(&dispatcher).await?;
        recover::take_up(&dispatcher).await?;
        pipelines::start(&dispatcher, asked);
        pools::start(&dispatcher);
        fan_outs::start(&dispatcher, fan_outs_asked);
        retention::start(&dispatcher);
        Ok(dispatcher)
    }

    /// Stops: nothing is assigned any more, job tasks detach (the jobs go on), connections close.
    pub async fn stop(&self) {
        if !self.0.tasks.stop(STOP_DEADLINE).await {
            tracing::warn!("some tasks did not stop in time; their jobs are taken up at the next start");
        }
        self.0.pool.close().await;
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    #[must_use]
    pub fn logs(&self) -> &LogStore {
        &self.0.logs
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// A digest by which a request is recognised again; only this dispatcher's master key can make it.
    #[must_use]
    pub fn keyed_digest(&self, asked: &[u8]) -> [u8; 32] {
        self.0.sealer.keyed_digest(asked)
    }

    /// The signal that the daemon is stopping; streams end on it.
    #[must_use]
    pub fn stop_signal(&self) -> CancellationToken {
        self.0.tasks.stop_signal()
    }

    /// Runs `work` to its end also when the caller goes away half-way.
    ///
    /// A request's future is dropped when its client hangs up: a commit that nobody acts on would be left.
    async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, DispatchError>> + Send + 'static,
    ) -> Result<T, DispatchError> {
        let (answer, answered) = oneshot::channel();
        self.0.tasks.spawn(tracing::Span::current(), move |_| {
            RequestKey::carried(async move {
                // The caller may have gone away.
                let _ = answer.send(work.await);
            })
        });
        answered.await.unwrap_or(Err(DispatchError::Interrupted))
    }

    fn tell_board(&self, event: BoardEvent) {
        // The loop ends only with the daemon; what it would have done is found again at the next start.
        let _ = self.0.loop_events.send(LoopEvent::Board(Box::new(event)));
    }

    /// Registers a job's task; `cancelled` when the request was made before.
    fn activate(&self, job: JobId, cancelled: bool) -> CancellationToken {
        let token = CancellationToken::new();
        if cancelled {
            token.cancel();
        }
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner).insert(job, token.clone());
        token
    }

    fn deactivate(&self, job: JobId) {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
    }

    fn cancel_signal(&self, job: JobId) -> Option<CancellationToken> {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned()
    }
}

/// A new identifier; later ones sort behind earlier ones.
fn new_id() -> Uuid {
    Uuid::now_v7()
}
