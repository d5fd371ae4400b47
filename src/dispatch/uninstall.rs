//! Taking a runner out: its host is cleaned first, then the record goes. History stays on its jobs.

use std::collections::BTreeSet;

use shuntyard_domain::runner::check_reason;
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::{
    SYSTEM_HOME, SYSTEM_SUDOERS, SYSTEM_USER, UninstallPlan, Uninstalled, parse_uninstall, uninstall_script,
};
use tokio::sync::mpsc;
use tracing::info_span;

use super::closing::Closed;
use super::engine_error::bad;
use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::{DispatchError, Dispatcher};
use crate::acting::on_behalf;
use crate::ssh::ConnectError;
use crate::ssh::attempt::{VerbError, retire};
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_script};

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

/// What becomes of the jobs of a runner that is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// It must have none.
    #[default]
    Idle,
    /// It takes no more, and they are waited for.
    Drained,
    /// They are cancelled, and their hosts' word that they ended is waited for.
    Cancelled,
    /// They are given up, and the record goes also when the host cannot be cleaned.
    Forced,
}

/// How a runner is to be removed: what becomes of its jobs, who asked, and why.
#[derive(Clone, Debug)]
pub struct Removing {
    pub removal: Removal,
    pub by: String,
    /// One line; it stays in the runner's history.
    pub reason: Option<String>,
}

impl Dispatcher {
    /// Removes key, wrapper and work directory on the host, then the record.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name, `BadRequest` for a reason that is none, `UnderWay` during another installation or removal, `RunnerBusy` while it has jobs
    /// and nothing is to become of them.
    pub async fn uninstall(
        &self,
        hostname: &str,
        removing: Removing,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        if let Some(reason) = &removing.reason {
            check_reason(reason).map_err(|wrong| bad("reason", wrong.to_string(), &[wrong.allowed]))?;
        }
        let name = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        self.may_be_removed(&known)?;
        // The address, too: another name may stand for the same host.
        let address = self.0.claims.claim(&self.target(&known).dial.at())?;
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        self.to_the_end(async move {
            let closed = match removing.removal {
                Removal::Idle | Removal::Forced => {
                    Some(engine.close_to_jobs(&known, removing.removal == Removal::Forced).await?)
                }
                Removal::Drained | Removal::Cancelled => {
                    engine.begin_to_drain(&known, &removing).await?;
                    None
                }
            };
            let span = info_span!("uninstall", runner.name = known.runner.hostname);
            let owner = engine.clone();
            owner.0.tasks.spawn(span, move |stop| {
                on_behalf(async move {
                    let closed = match closed {
                        Some(closed) => Ok(closed),
                        None => engine.emptied(&known, &removing, &steps, &stop).await,
                    };
                    match closed {
                        Ok(closed) => engine.uninstall_in_steps(&known, &removing, closed, &steps).await,
                        Err(failure) => steps.failed("drain", failure, Vec::new(), whatever_is_left(&known)),
                    }
                    drop((name, address));
                })
            });
            Ok(listener)
        })
        .await
    }

    async fn uninstall_in_steps(&self, known: &Known, removing: &Removing, closed: Closed, steps: &Steps) {
        let force = removing.removal == Removal::Forced;
        if self.turned_off(&known.runner).is_some() {
            // There is no host to be cleaned: its files are the dispatcher's own.
            let left = whatever_is_left(known);
            return self.forget_in_steps(known, removing, closed, left, steps).await;
        }
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
                return steps.failed("clean", Failure::new(error, try_next), Vec::new(), whatever_is_left(known));
            }
        };
        self.forget_in_steps(known, removing, closed, left, steps).await;
    }

    async fn forget_in_steps(
        &self,
        known: &Known,
        removing: &Removing,
        closed: Closed,
        left: Vec<String>,
        steps: &Steps,
    ) {
        closed.for_good();
        steps.began("forget", "removing the runner from the inventory");
        if let Err(error) = self.give_up_jobs(known).await {
            return steps.failed("forget", Failure::new(error, "try again"), Vec::new(), left);
        }
        let (by, reason) = (removing.by.clone(), removing.reason.clone());
        match self.forget_runner(known.runner.id, by, reason, |_| Ok(())).await {
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
    if installation.local {
        return vec![format!("the work directory {} in the dispatcher's data directory", installation.base_dir)];
    }
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
