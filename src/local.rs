//! The local runner's host: an embedded SSH host on the dispatcher's own machine, under its own account.
//!
//! It listens on loopback, lets nobody in but the runner's key (and, while it is bootstrapped, a password that was made
//! for that), and leaves its processes alone when it stops: jobs outlive the dispatcher here as on any other host.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::geteuid;
use shuntyard_domain::runner::{Runner, check_user};
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::wrapper_version;

use crate::config::Config;
use crate::demo::{AtStop, DemoError, DemoHost, HostSpec, random_text};
use crate::dispatch::{Dispatcher, Local, LocalHost, LocalRunner, local_runner};
use crate::shutdown::Tasks;
use crate::store::{Store, jobs_on_runners};

/// What the account is called in logins when the system has no name for it.
const NAMELESS: &str = "shuntyard";

/// The host while it runs.
pub struct LocalMachine {
    host: DemoHost,
    /// The runner takes jobs; else the host is there for those that it has already.
    is_on: bool,
}

impl LocalMachine {
    /// Starts the host when the local runner is on, or when it is off and has jobs to be followed to their end.
    ///
    /// # Errors
    /// When the store cannot be read or the host cannot start.
    pub async fn prepare(config: &Config, store: &Store) -> anyhow::Result<(Local, Option<Self>)> {
        let is_on = config.local.enabled;
        let stored = store.read(local_runner).await?;
        let id = stored.as_ref().map(|runner| runner.id);
        let jobs = match id {
            Some(id) => store.read(move |c| jobs_on_runners(c, &[id])).await?.len(),
            None => 0,
        };
        if !is_on && jobs > 0 {
            tracing::warn!(jobs, "the local runner is turned off and still has jobs: they are followed to their end");
        }
        let wanted = is_on.then(|| LocalRunner { hostname: config.local.name.clone(), slots: config.local.slots });
        if !is_on && jobs == 0 {
            return Ok((Local { wanted, host: None }, None));
        }
        let port = stored.map_or(0, |runner| runner.endpoint.port);
        let host = start(config, port).await.context("cannot start the local runner's host ([local] enabled)")?;
        let told = LocalHost { port: host.port(), user: host.spec().user.clone(), host_key: host.host_key_line() };
        Ok((Local { wanted, host: Some(told) }, Some(Self { host, is_on })))
    }

    /// Makes a runner of the host, or refreshes it after an upgrade. A failure is logged: other runners go on.
    pub async fn enrol(&self, dispatcher: &Dispatcher) {
        if self.is_on {
            self.warn_of_the_account();
            let known = dispatcher.local_runner();
            if !known.as_deref().is_some_and(is_fresh) {
                self.bootstrap(dispatcher, known.is_some()).await;
            }
        }
        self.host.refuse_passwords();
    }

    /// Cuts its connections; jobs go on.
    pub async fn stop(&self) {
        self.host.stop().await;
    }

    fn warn_of_the_account(&self) {
        let (user, as_root) = (&self.host.spec().user, geteuid().is_root());
        tracing::warn!(
            user,
            as_root,
            "the local runner is on: its jobs can read the dispatcher's data, with master.key and admin.token; for jobs of \
             others, install this machine under another account instead: \
             shunt ctl install-runner NAME USER --address 127.0.0.1"
        );
    }

    async fn bootstrap(&self, dispatcher: &Dispatcher, again: bool) {
        let mut steps = match dispatcher.install_local(self.host.spec().password.clone()) {
            Ok(Some(steps)) => steps,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "the local runner cannot be bootstrapped"),
        };
        while let Some(step) = steps.recv().await {
            match step {
                StepEvent::Began { .. } | StepEvent::Done { .. } | StepEvent::Probed { .. } => (),
                StepEvent::Finished { .. } => return tracing::info!("the local runner was bootstrapped"),
                StepEvent::HostKeyUnconfirmed { .. } => break,
                StepEvent::Failed { step, why, try_next, .. } if again => {
                    return tracing::warn!(
                        step,
                        why,
                        try_next,
                        "the local runner was not refreshed and goes on as it is; it is tried again at the next start"
                    );
                }
                StepEvent::Failed { step, why, try_next, .. } => {
                    return tracing::error!(step, why, try_next, "there is no local runner: its bootstrap has failed");
                }
            }
        }
        tracing::error!("the bootstrap of the local runner was interrupted");
    }
}

/// The same port as last time where it is free: who has its address goes on finding it.
async fn start(config: &Config, port: u16) -> Result<DemoHost, DemoError> {
    let root = config.paths().local;
    let spec = HostSpec {
        name: config.local.name.clone(),
        platform: None,
        user: account_name(),
        password: random_text()?,
        // As whoever started the dispatcher finds programs; nothing else of its environment gets to jobs.
        path: std::env::var_os("PATH").filter(|path| !path.is_empty()),
        at_stop: AtStop::LeaveAlone,
        slots_hint: config.local.slots,
        port,
    };
    // A set of its own: the host must outlive the engine, which says goodbye to jobs over it.
    let tasks = Tasks::new();
    match DemoHost::start(spec.clone(), &root, &tasks).await {
        Err(DemoError::Listen { .. }) if port != 0 => {
            DemoHost::start(HostSpec { port: 0, ..spec }, &root, &tasks).await
        }
        started => started,
    }
}

/// What is on the host is what this version would put there.
fn is_fresh(runner: &Runner) -> bool {
    let installation = &runner.installation;
    installation.wrapper_version == wrapper_version() && Path::new(&installation.wrapper_path).exists()
}

/// The name of the account that this process has, as the system's own file says.
fn account_name() -> String {
    let uid = geteuid().as_raw().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    });
    named.filter(|name| check_user(name).is_ok()).unwrap_or(NAMELESS).to_owned()
}
