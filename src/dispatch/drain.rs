//! A runner that is to be removed ends its jobs first, or has them cancelled.
//!
//! Nothing is done to the host meanwhile. The runner is `draining` in the store: it stays so when the listener leaves,
//! when the dispatcher stops, and when a later step fails.

use std::time::Duration;

use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::runner::RunnerState;
use tokio_util::sync::CancellationToken;

use super::closing::Closed;
use super::inventory::{Contact, Known};
use super::steps::{Failure, Steps};
use super::uninstall::{Removal, Removing};
use super::{DispatchError, Dispatcher, RunnerPatch};

/// How soon it is noticed that nobody waits any more.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why it drains, when nobody said it.
const DELETED: &str = "it is being deleted";
const AGAIN: &str = "the runner stays draining: delete it again, or `shunt ctl enable` it";

impl Dispatcher {
    /// From here on no job is placed there; a runner in any other state takes none anyway.
    pub(super) async fn begin_to_drain(&self, known: &Known, removing: &Removing) -> Result<(), DispatchError> {
        if known.runner.state != RunnerState::Enrolled {
            return Ok(());
        }
        let (state, reason) =
            (Some(RunnerState::Draining), removing.reason.clone().or_else(|| Some(DELETED.to_owned())));
        let patch = RunnerPatch { state, reason, ..RunnerPatch::default() };
        self.patch_runner(&known.runner.hostname, patch, &removing.by).await
    }

    /// Waits until no job is placed on the runner, and closes it.
    pub(super) async fn emptied(
        &self,
        known: &Known,
        removing: &Removing,
        steps: &Steps,
        stop: &CancellationToken,
    ) -> Result<Closed, Failure> {
        let (removal, by) = (removing.removal, removing.by.as_str());
        let failed = |error: DispatchError| Failure::new(error, AGAIN);
        let mut news = self.0.feed.changes();
        let mut left = None;
        loop {
            let jobs = self.jobs_on(known.runner.id).await.map_err(failed)?;
            if left != Some(jobs.len()) {
                if left.is_some() {
                    steps.done("drain", format!("{} left", count(jobs.len())));
                }
                if !jobs.is_empty() {
                    steps.began("drain", &self.title(known, removal, jobs.len()));
                }
                left = Some(jobs.len());
            }
            if jobs.is_empty() {
                return self.close_to_jobs(known, false).await.map_err(failed);
            }
            if removal == Removal::Cancelled {
                // Asking twice changes nothing.
                for job in &jobs {
                    self.cancel(job.id, by, StopReason::User).await.map_err(failed)?;
                }
            }
            if self.known(known.runner.id).map_err(failed)?.runner.state == RunnerState::Enrolled {
                return Err(Failure::new("the runner was enabled meanwhile", "nothing was removed; delete it again"));
            }
            tokio::select! {
                () = stop.cancelled() => return Err(Failure::new("the dispatcher stops", AGAIN)),
                () = steps.deserted() => return Err(Failure::new("nobody waits any more", AGAIN)),
                // Also a listener that is behind looks again.
                _ = news.recv() => (),
                () = tokio::time::sleep(LOOK_AGAIN) => (),
            }
        }
    }

    fn title(&self, known: &Known, removal: Removal, jobs: usize) -> String {
        let what = if removal == Removal::Cancelled { "cancelling" } else { "waiting for" };
        let away = match self.known(known.runner.id).map(|known| known.contact) {
            Ok(Contact::Unreachable { why, .. }) => format!(" (the runner is unreachable: {why})"),
            _ => String::new(),
        };
        format!("{what} {}{away}", count(jobs))
    }
}

fn count(jobs: usize) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}
