//! Taking a runner out: its host is cleaned first, then the record goes. History stays on its jobs.

use std::collections::BTreeSet;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Runner, RunnerState};
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::{
    SYSTEM_HOME, SYSTEM_SUDOERS, SYSTEM_USER, UninstallPlan, Uninstalled, parse_uninstall, uninstall_script,
};
use tokio::sync::mpsc;
use tracing::info_span;

use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::{DispatchError, Dispatcher};
use crate::ssh::ConnectError;
use crate::ssh::attempt::{VerbError, retire};
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_script};
use crate::store::{Connection, StoreError, jobs_on_runner, runner_by_id, runner_update};

/// A host was not cleaned.
#[derive(Debug, thiserror::Error)]
enum CleanError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(transparent)]
    Retire(#[from] VerbError),
    #[error("the runner's key cannot be read: {0}")]
    Key(#[from] DispatchError),
}

impl Dispatcher {
    /// Removes key, wrapper and work directory on the host, then the record. With `force` the record goes
    /// also when the host cannot be cleaned, and jobs that are placed there are given up.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name, `UnderWay` during another installation or removal, `RunnerBusy` while it has jobs and `force` is not given.
    pub async fn uninstall(
        &self,
        hostname: &str,
        force: bool,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let known = self.known_by_name(hostname)?;
        let claim = self.0.claims.claim(hostname)?;
        let (steps, listener) = Steps::new();
        let (engine, hostname) = (self.clone(), hostname.to_owned());
        self.to_the_end(async move {
            let running = engine.close_to_jobs(known.runner.id, force).await?;
            if running > 0 && !force {
                return Err(DispatchError::RunnerBusy { hostname, running });
            }
            let span = info_span!("uninstall", runner.name = hostname);
            let owner = engine.clone();
            owner.0.tasks.spawn(span, move |_| async move {
                engine.uninstall_in_steps(&known, force, &steps).await;
                drop(claim);
            });
            Ok(listener)
        })
        .await
    }

    /// From here on no job is placed there; answers how many are. Without `force` a busy runner is left as it is.
    ///
    /// One transaction, as the commit of a placement is: a job is either counted here or not placed.
    async fn close_to_jobs(&self, id: RunnerId, force: bool) -> Result<usize, DispatchError> {
        let close = move |c: &mut Connection| {
            let running = jobs_on_runner(c, id)?.len();
            let closed = match runner_by_id(c, id)? {
                Some(runner) if runner.state == RunnerState::Enrolled && (running == 0 || force) => {
                    Some(runner_update(c, &Runner { state: RunnerState::Draining, ..runner })?)
                }
                _ => None,
            };
            Ok::<_, StoreError>((running, closed))
        };
        let (running, closed) = self.0.store.write(close).await?;
        if let Some(runner) = closed {
            self.update_runner(id, |entry| entry.runner = runner.into());
        }
        Ok(running)
    }

    /// After a removal that did nothing on the host: the runner is what it was.
    async fn open_to_jobs(&self, known: &Known) {
        let before = known.runner.state;
        if let Err(error) = self.change_record(known.runner.id, move |runner| runner.state = before).await {
            tracing::error!(%error, state = %before, "the runner's earlier state could not be stored; it stays draining");
        }
    }

    async fn uninstall_in_steps(&self, known: &Known, force: bool, steps: &Steps) {
        steps.began("clean", "removing key, wrapper and work directory on the host");
        let left = match self.clean_host(known, force).await {
            Ok(answer) => {
                steps.done("clean", format!("removed {}", answer.removed.join(", ")));
                answer.left
            }
            Err(error) if force => {
                steps.done("clean", format!("not possible: {error}"));
                whatever_is_left(known)
            }
            Err(error) => {
                let try_next = clean_advice(&error, known);
                self.open_to_jobs(known).await;
                return steps.failed("clean", Failure::new(error, try_next), Vec::new(), whatever_is_left(known));
            }
        };
        steps.began("forget", "removing the runner from the inventory");
        if let Err(error) = self.give_up_jobs(known).await {
            return steps.failed("forget", Failure::new(error, "try again"), Vec::new(), left);
        }
        match self.forget_runner(known.runner.id).await {
            Ok(()) => {
                steps.done("forget", known.runner.hostname.clone());
                steps.finished(None, left);
            }
            Err(error) => steps.failed("forget", Failure::new(error, "try again"), Vec::new(), left),
        }
    }

    async fn clean_host(&self, known: &Known, kill_jobs: bool) -> Result<Uninstalled, CleanError> {
        let runner = &known.runner;
        let installation = &runner.installation;
        let mut lease = self.lease_service(known).await?;
        if installation.system_mode {
            let secret = self.stored_retire_secret(runner.id).await?;
            return Ok(retire(&mut lease, &installation.wrapper_path, &secret, kill_jobs).await?);
        }
        let nonce = nonce()?;
        let script = uninstall_script(&UninstallPlan {
            nonce: &nonce,
            system_mode: false,
            base_dir: &installation.base_dir,
            wrapper_path: &installation.wrapper_path,
            public_key_line: None,
            hostname: &runner.hostname,
            kill_jobs,
            remove_user: false,
            made: &BTreeSet::new(),
        })
        .map_err(ScriptError::from)?;
        Ok(run_script(lease.session(), &Rights::Login, &script, &nonce, parse_uninstall).await?)
    }

    /// With force only: nobody will ever hear of these jobs again.
    async fn give_up_jobs(&self, known: &Known) -> Result<(), DispatchError> {
        for job in self.jobs_on(known.runner.id).await? {
            self.abandon(job.id, "the runner was deleted by force").await?;
        }
        Ok(())
    }
}

fn clean_advice(error: &CleanError, known: &Known) -> String {
    match error {
        CleanError::Retire(VerbError::Refused { .. } | VerbError::NoAnswer { .. }) => format!(
            "see that {SYSTEM_USER} may use sudo there ({SYSTEM_SUDOERS}) or install the runner again; or use --force, \
             then run on the host as root: {}",
            by_hand(known)
        ),
        _ => "make the host reachable and try again, or use --force: then it stays as it is and you are told what is \
              left there"
            .to_owned(),
    }
}

/// What root types on a host of the system mode.
fn by_hand(known: &Known) -> String {
    let base = &known.runner.installation.base_dir;
    let home = base.strip_suffix("/runner").unwrap_or(SYSTEM_HOME);
    format!("rm -rf {home} {SYSTEM_SUDOERS} && userdel {SYSTEM_USER}")
}

/// What a host that was not cleaned still has.
pub(super) fn whatever_is_left(known: &Known) -> Vec<String> {
    let (runner, installation) = (&known.runner, &known.runner.installation);
    let mut left = vec![
        format!("the wrapper {}", installation.wrapper_path),
        format!("the work directory {}", installation.base_dir),
        format!("the line ending in {SYSTEM_USER}@{} in authorized_keys of {}", runner.hostname, runner.endpoint.user),
    ];
    if installation.system_mode {
        left.push(format!("the user {SYSTEM_USER} and its rule {SYSTEM_SUDOERS}"));
        left.push(format!("all of it goes with, as root: {}", by_hand(known)));
    }
    left
}
