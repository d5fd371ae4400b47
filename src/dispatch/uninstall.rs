//! Taking a runner out: its host is cleaned first, then the record goes. History stays on its jobs.

use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::{UninstallPlan, Uninstalled, parse_uninstall, uninstall_script};
use tokio::sync::mpsc;
use tracing::info_span;

use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::{DispatchError, Dispatcher};
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_script};

/// What root types on a host of the system mode.
const SYSTEM_CLEANUP: &str = "rm -rf /var/lib/shuntyard && userdel job_runner";

impl Dispatcher {
    /// Removes key, wrapper and work directory on the host, then the record. With `force` the record goes
    /// also when the host cannot be cleaned, and jobs that are placed there are given up.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name, `RunnerBusy` while it has jobs and `force` is not given.
    pub async fn uninstall(
        &self,
        hostname: &str,
        force: bool,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let known = self.known_by_name(hostname)?;
        let running = self.jobs_on(known.runner.id).await?;
        if !running.is_empty() && !force {
            return Err(DispatchError::RunnerBusy { hostname: hostname.to_owned(), running: running.len() });
        }
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        let span = info_span!("uninstall", runner.name = hostname);
        self.0.tasks.spawn(span, move |_| async move { engine.uninstall_in_steps(&known, force, &steps).await });
        Ok(listener)
    }

    async fn uninstall_in_steps(&self, known: &Known, force: bool, steps: &Steps) {
        steps.began("clean", "removing key, wrapper and work directory on the host");
        let system_mode = known.runner.installation.system_mode;
        if system_mode && !force {
            let why = "the runner was installed with root's rights, and its own key may not remove root's files";
            let failure = Failure::new(why, format!("use --force, then run on the host: {SYSTEM_CLEANUP}"));
            return steps.failed("clean", failure, Vec::new(), whatever_is_left(known));
        }
        let left = match self.clean_host(known, force).await {
            Err(_) if system_mode => {
                steps.done("clean", format!("left to root; run on the host: {SYSTEM_CLEANUP}"));
                whatever_is_left(known)
            }
            Ok(answer) => {
                steps.done("clean", format!("removed {}", answer.removed.join(", ")));
                answer.left
            }
            Err(error) if force => {
                steps.done("clean", format!("not possible: {error}"));
                whatever_is_left(known)
            }
            Err(error) => {
                let try_next = "make the host reachable and try again, or use --force: \
                                then it stays as it is and you are told what is left there";
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

    async fn clean_host(&self, known: &Known, kill_jobs: bool) -> Result<Uninstalled, ScriptError> {
        let runner = &known.runner;
        let installation = &runner.installation;
        let lease = self.lease_service(known).await.map_err(|e| ScriptError::Exec(e.into()))?;
        let nonce = nonce()?;
        let script = uninstall_script(&UninstallPlan {
            nonce: &nonce,
            system_mode: installation.system_mode,
            base_dir: &installation.base_dir,
            wrapper_path: &installation.wrapper_path,
            public_key_line: None,
            hostname: &runner.hostname,
            kill_jobs,
            remove_user: false,
        })?;
        run_script(lease.session(), &Rights::Login, &script, &nonce, parse_uninstall).await
    }

    /// With force only: nobody will ever hear of these jobs again.
    async fn give_up_jobs(&self, known: &Known) -> Result<(), DispatchError> {
        for job in self.jobs_on(known.runner.id).await? {
            self.abandon(job.id, "the runner was deleted by force").await?;
        }
        Ok(())
    }
}

/// What a host that was not cleaned still has.
fn whatever_is_left(known: &Known) -> Vec<String> {
    let (runner, installation) = (&known.runner, &known.runner.installation);
    vec![
        format!("the wrapper {}", installation.wrapper_path),
        format!("the work directory {}", installation.base_dir),
        format!("the line ending in job_runner@{} in authorized_keys of {}", runner.hostname, runner.endpoint.user),
    ]
}
