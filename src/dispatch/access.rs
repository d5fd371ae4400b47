//! From an inventory entry to a place on a connection.

use std::sync::Arc;

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::RunnerId;

use super::inventory::Known;
use super::{DispatchError, Dispatcher, Thing};
use crate::ssh::{ConnectError, Lease};

impl Dispatcher {
    /// A place for one job's channel.
    pub(super) async fn lease_job(&self, known: &Known) -> Result<Lease, ConnectError> {
        self.0.pool.lease_job(&self.target(known)).await
    }

    /// A place for a short call that is not a job.
    pub(super) async fn lease_service(&self, known: &Known) -> Result<Lease, ConnectError> {
        self.0.pool.lease_service(&self.target(known)).await
    }

    pub(super) fn known(&self, id: RunnerId) -> Result<Known, DispatchError> {
        self.0.inventory.get(id).ok_or_else(|| DispatchError::NoRunner(id.to_string()))
    }

    pub(super) fn known_by_name(&self, hostname: &str) -> Result<Known, DispatchError> {
        self.0.inventory.by_name(hostname).ok_or_else(|| DispatchError::NoRunner(hostname.to_owned()))
    }

    /// Changes what is known about a runner, and tells board and listeners.
    pub(super) fn update_runner(&self, id: RunnerId, change: impl FnOnce(&mut Known)) {
        let mut left = None;
        let noted = |known: &mut Known| {
            let before = Arc::clone(&known.runner);
            change(known);
            left = (before.scope != known.runner.scope).then(|| before.scope.place());
        };
        self.0.inventory.update(id, noted, |known| self.tell_board(BoardEvent::RunnerChanged(known.for_board())));
        // First: who sees both places is told that it is there.
        if let Some(left) = left {
            self.0.feed.removed(Thing::Runner(id), left);
        }
        self.0.feed.runner_changed(id);
    }
}
