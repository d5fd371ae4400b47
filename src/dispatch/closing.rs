//! A runner whose host is being changed takes no jobs meanwhile.
//!
//! This is kept in memory: after a crash in the middle the runner is what its record says.

use shuntyard_domain::ids::RunnerId;

use super::inventory::Known;
use super::{DispatchError, Dispatcher};
use crate::store::{Connection, jobs_on_runners};

/// While it lives, no job is placed on the runner.
pub(super) struct Closed {
    engine: Dispatcher,
    runner: RunnerId,
    opens: bool,
}

impl Closed {
    /// The host has nothing left with which to run a job.
    pub(super) fn for_good(mut self) {
        self.opens = false;
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if self.opens {
            self.engine.update_runner(self.runner, |entry| entry.closed = false);
        }
    }
}

impl Dispatcher {
    /// From here on no job is placed there; with `force` also while jobs run there.
    ///
    /// The store's writes come one after another, and the commit of a placement looks at the mark inside its own: a
    /// job is either counted here or not placed.
    ///
    /// # Errors
    /// `RunnerBusy` when it has jobs and `force` is not given.
    pub(super) async fn close_to_jobs(&self, known: &Known, force: bool) -> Result<Closed, DispatchError> {
        let runner = known.runner.id;
        self.update_runner(runner, |entry| entry.closed = true);
        let closed = Closed { engine: self.clone(), runner, opens: true };
        let running = self.0.store.write(move |c: &mut Connection| jobs_on_runners(c, &[runner])).await?.len();
        if running > 0 && !force {
            return Err(DispatchError::RunnerBusy { hostname: known.runner.hostname.clone(), running });
        }
        Ok(closed)
    }

    pub(super) fn is_closed(&self, runner: RunnerId) -> bool {
        self.known(runner).is_ok_and(|known| known.closed)
    }
}
