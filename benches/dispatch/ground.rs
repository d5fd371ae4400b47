//! What every case stands on: one host, our engine with its store and logs, a plain pool, and a ControlMaster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shuntyard::blobs::{BlobLimits, BlobStore};
use shuntyard::clock::Clock;
use shuntyard::dispatch::{DialOut, Dispatcher, Local, Parts};
use shuntyard::logs::LogStore;
use shuntyard::outgoing::{Caller, CallerSettings};
use shuntyard::sealed::Sealer;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::inbound::Tunnels;
use shuntyard::ssh::{Pool, Target, fingerprint, generate_runner_key, load_private_key};
use shuntyard::store::{Store, StoreOptions, StoreUrl};
use shuntyard_domain::board::Placement;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::wire::api::{InstallRunner, StepEvent, SubmitJob};
use shuntyard_domain::workspace::Limits;
use tempfile::TempDir;
use uuid::Uuid;

use crate::openssh::Master;
use crate::support::sshd::{HostSpec, TestHost};

/// Jobs that the runner takes at a time.
pub const SLOTS: usize = 8;
const BLOBS: BlobLimits = BlobLimits {
    workspace: Limits { max_entries: 100_000, max_bytes: 4 << 30 },
    store_bytes: 8 << 30,
    min_free_bytes: 0,
};
const JOB_LIMIT: Duration = Duration::from_secs(300);

pub struct Ground {
    pub host: TestHost,
    pub master: Master,
    pub pool: Pool,
    pub target: Target,
    pub dispatcher: Dispatcher,
    pub data: TempDir,
    pool_tasks: Tasks,
}

impl Ground {
    /// Starts a host and enrols it, as `shunt ctl install-runner --no-sudo` does.
    pub async fn prepare() -> Self {
        let host = TestHost::start(HostSpec { host_key_types: vec!["ed25519"], ..HostSpec::default() });
        let (private, public) = generate_runner_key("bench").expect("a key");
        host.authorize("deploy", &public);
        let master = Master::connect(&host, &private);
        let pool_tasks = Tasks::new();
        let pool = Pool::new(&pool_tasks);
        let target = Target {
            runner: RunnerId(Uuid::now_v7()),
            dial: host.dial("deploy"),
            host_keys: host.host_keys.clone(),
            key: Arc::new(load_private_key(&private, None).expect("the key")),
        };
        pool.warm(&target).await.expect("a connection");
        let data = tempfile::Builder::new().prefix("shunt-bench-data-").tempdir().expect("a temporary directory");
        let dispatcher = start_engine(&data).await;
        let ground = Self { host, master, pool, target, dispatcher, data, pool_tasks };
        ground.enrol(private.to_string()).await;
        ground
    }

    async fn enrol(&self, private_key: String) {
        let request = InstallRunner {
            address: Some(self.host.address.clone()),
            port: self.host.port,
            user: "deploy".to_owned(),
            password: None,
            private_key: Some(private_key),
            passphrase: None,
            host_key: fingerprint(&self.host.host_keys[0]),
            no_sudo: true,
            one_off: false,
            labels: None,
            capabilities: None,
            scope: None,
            jump: None,
            slots: Some(SLOTS as u32),
        };
        let mut steps = self.dispatcher.install("bench-host".to_owned(), request).expect("a good request");
        let mut last = None;
        while let Some(step) = steps.recv().await {
            last = Some(step);
        }
        assert!(matches!(last, Some(StepEvent::Finished { .. })), "the bootstrap ended with {last:?}");
    }

    pub async fn submit(&self, script: impl Into<String>) -> Job {
        self.submit_in(script, None).await
    }

    /// Submits a job that starts in a copy of a tree, which the server has.
    pub async fn submit_in(&self, script: impl Into<String>, workspace: Option<Digest>) -> Job {
        let request = SubmitJob {
            script: script.into(),
            title: None,
            filter: Default::default(),
            env: Default::default(),
            priority: 0,
            queue_limit_s: None,
            run_limit_s: None,
            silence_limit_s: None,
            stop_grace_s: None,
            output_cap_bytes: None,
            stop_after_disconnect_s: None,
            retry: Default::default(),
            project: String::new(),
            concurrency: None,
            workspace,
            artifacts: Vec::new(),
            git: None,
            secrets: Vec::new(),
        };
        self.dispatcher.submit(request).await.expect("a good job")
    }

    /// Waits until the result is stored, and holds it to success and a complete log of `bytes`.
    pub async fn finished(&self, job: &Job, bytes: u64) -> Job {
        let mut pulse = self.dispatcher.feed().job(job.id);
        let wait = async {
            loop {
                let now = self.dispatcher.job(job.id).await.expect("the job");
                if now.state.is_finished() {
                    return now;
                }
                let seen = now.version;
                pulse.wait_for(|p| p.version > seen).await.expect("the feed");
            }
        };
        let job = tokio::time::timeout(JOB_LIMIT, wait).await.expect("the job ends in time");
        let JobState::Finished(end) = &job.state else { panic!("{job:?}") };
        assert!(end.outcome == Outcome::Succeeded && !end.log.truncated && end.log.bytes == bytes, "{end:?}");
        assert_eq!(self.dispatcher.logs().stored_bytes(job.attempt_id()), bytes);
        job
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    pub async fn stop(self) {
        self.dispatcher.stop().await;
        self.pool.close().await;
        self.pool_tasks.stop(Duration::from_secs(5)).await;
        self.dispatcher.store().clone().close().await;
    }
}

async fn start_engine(data: &TempDir) -> Dispatcher {
    let url = StoreUrl::parse(&format!("sqlite:{}", data.path().join("bench.sqlite").display())).expect("a url");
    let tasks = Tasks::new();
    let pool = Pool::new(&tasks.child());
    let tunnels = Tunnels::new(&tasks, Clock::system(), pool.settings());
    let parts = Parts {
        store: Store::open(&url, StoreOptions::default()).expect("a store"),
        logs: LogStore::open(&data.path().join("logs")).expect("a log directory"),
        blobs: BlobStore::open(&data.path().join("blobs"), BLOBS).expect("a directory of workspaces"),
        clock: Clock::system(),
        sealer: Sealer::from_key_file(&data.path().join("master.key")).expect("a key"),
        pool,
        dial_out: DialOut { tunnels, endpoint: None },
        caller: Caller::new(&CallerSettings::default()).expect("a client"),
        tasks,
        placement: Placement::LeastLoaded,
        runner_min_free_bytes: 0,
        spool_cap_bytes: 8 << 30,
        quotas: Default::default(),
        artifacts_max_bytes: 1 << 30,
        enrolment_approval: false,
        local: Local::default(),
        check_every: None,
        metrics: shuntyard::metrics::Metrics::default(),
        retention: shuntyard::dispatch::Retention::default(),
        command_template: None,
    };
    Dispatcher::start(parts).await.expect("an engine")
}
