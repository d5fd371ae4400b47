//! Changes on their way through their stages: the reconciler's steps become commits and jobs.
//!
//! What to do next about a change is decided by `domain::stage::steps` from what is stored. One task (`drive`) asks
//! it, for one change at a time, when something has happened: a job of it ended, a person acted, the daemon started,
//! a stage that is shared became free. Nothing of a stage lives only here: after a restart the same question is asked.

mod act;
mod carry_out;
mod drive;
mod forecast;
mod plan;
mod plan_quotas;
pub(super) mod source;
mod submit;
mod tenancy;
mod view;
mod waiting;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shuntyard_domain::command_template::CommandTemplate;
use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::job::Job;
use shuntyard_domain::stage::JobStanding;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::{DispatchError, Dispatcher};
use crate::store::{StoreError, row_jobs_of, stage_phases, stage_runs_open};

pub use act::Trigger;
pub use tenancy::Tenant;

/// The engine's side of pipelines.
pub(super) struct Pipelines {
    /// Changes about which is to be asked.
    asks: mpsc::UnboundedSender<ChangeId>,
    /// The change of every unfinished job of a stage, so that its end is known to matter.
    jobs: Mutex<HashMap<JobId, ChangeId>>,
    /// What a phase does when its project does not say it.
    template: Option<CommandTemplate>,
}

impl Pipelines {
    pub(super) fn new(asks: mpsc::UnboundedSender<ChangeId>, template: Option<CommandTemplate>) -> Self {
        Self { asks, jobs: Mutex::default(), template }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, ChangeId>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Learns which unfinished jobs belong to which change; before any of them can end.
pub(super) async fn take_up(engine: &Dispatcher) -> Result<(), DispatchError> {
    let found = engine.0.store.read(|c| {
        let mut found = Vec::new();
        for run in stage_runs_open(c)? {
            for phase in stage_phases(c, run.id)? {
                for job in row_jobs_of(c, phase.id)?.into_values().flatten() {
                    if matches!(job.standing, JobStanding::Waiting | JobStanding::Running) {
                        found.push((job.id, run.change));
                    }
                }
            }
        }
        Ok::<_, StoreError>(found)
    });
    let found: Vec<(JobId, ChangeId)> = found.await?;
    engine.0.pipelines.jobs().extend(found);
    Ok(())
}

/// Starts the task that asks; it asks about everything that is under way first.
pub(super) fn start(engine: &Dispatcher, inbox: mpsc::UnboundedReceiver<ChangeId>) {
    let driven = engine.clone();
    let drive = move |stop: CancellationToken| drive::run(driven, inbox, stop);
    engine.0.tasks.spawn(info_span!("pipelines"), drive);
}

impl Dispatcher {
    /// Tells everybody that a job's record has changed.
    pub(super) fn job_changed(&self, job: &Job) {
        self.0.feed.job_changed(job.id, job.version);
        if job.state.is_finished() {
            self.0.metrics.job_ended(job.state.name());
        }
        if let Some(fan_out) = job.spec.fan_out {
            self.fan_out_job_changed(fan_out, job);
        }
        if job.origin.stage.is_none() {
            return;
        }
        let change = {
            let mut jobs = self.0.pipelines.jobs();
            if job.state.is_finished() { jobs.remove(&job.id) } else { jobs.get(&job.id).copied() }
        };
        if let Some(change) = change {
            self.0.feed.change_changed(change);
            if job.state.is_finished() {
                self.ask_about(change);
            }
        }
    }

    /// Asks soon what is to be done next about a change.
    fn ask_about(&self, change: ChangeId) {
        // The task ends only with the daemon; at the next start it asks about everything.
        let _ = self.0.pipelines.asks.send(change);
    }
}
