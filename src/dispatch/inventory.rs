//! The runners in memory: record, opened key, contact, and the keeper that holds the connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuntyard_domain::board::{Availability, BoardRunner};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Health, Runner, RunnerState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ssh::RunnerKey;

/// Whether there is a connection to a runner. Never a reason to change a job's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Connecting { since_ms: i64 },
    Connected { since_ms: i64 },
    Unreachable { since_ms: i64, why: String },
}

/// One runner as the engine knows it.
#[derive(Clone)]
pub(super) struct Known {
    pub runner: Arc<Runner>,
    pub key: Arc<RunnerKey>,
    pub contact: Contact,
    /// Ends the keeper of this entry.
    pub keeper_stop: CancellationToken,
    /// Why the runner does not let us in; it is not connected to for its jobs then.
    pub refused: Option<String>,
    /// Lets the keeper try at once.
    pub retry: Arc<Notify>,
}

impl Known {
    /// What the board is told about this runner.
    pub(super) fn for_board(&self) -> BoardRunner {
        BoardRunner {
            id: self.runner.id,
            attributes: self.runner.attributes(),
            scope: self.runner.scope.clone(),
            slots: self.runner.slots,
            availability: availability(&self.runner, &self.contact),
        }
    }
}

fn availability(runner: &Runner, contact: &Contact) -> Availability {
    match (runner.state, contact, &runner.health) {
        (RunnerState::Pending, _, _) => Availability::Pending,
        (RunnerState::Draining, _, _) => Availability::Draining,
        (RunnerState::Disabled, _, _) => Availability::Disabled,
        (RunnerState::Quarantined, _, _) => Availability::Quarantined,
        (RunnerState::Enrolled, Contact::Connecting { .. } | Contact::Unreachable { .. }, _) => {
            Availability::Unreachable
        }
        (RunnerState::Enrolled, Contact::Connected { .. }, Health::Error { .. }) => Availability::Unhealthy,
        (RunnerState::Enrolled, Contact::Connected { .. }, _) => Availability::Ready,
    }
}

/// Every runner, by id and by name.
#[derive(Default)]
pub(super) struct Inventory {
    known: Mutex<HashMap<RunnerId, Known>>,
}

impl Inventory {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunnerId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces a runner; the keeper of an entry that is replaced is ended.
    pub(super) fn put(&self, known: Known) {
        if let Some(old) = self.lock().insert(known.runner.id, known) {
            old.keeper_stop.cancel();
        }
    }

    pub(super) fn remove(&self, id: RunnerId) {
        if let Some(old) = self.lock().remove(&id) {
            old.keeper_stop.cancel();
        }
    }

    pub(super) fn get(&self, id: RunnerId) -> Option<Known> {
        self.lock().get(&id).cloned()
    }

    pub(super) fn by_name(&self, hostname: &str) -> Option<Known> {
        self.lock().values().find(|k| k.runner.hostname == hostname).cloned()
    }

    /// Changes an entry in place and answers it as it is then.
    pub(super) fn update(&self, id: RunnerId, change: impl FnOnce(&mut Known)) -> Option<Known> {
        let mut known = self.lock();
        let entry = known.get_mut(&id)?;
        change(entry);
        Some(entry.clone())
    }

    /// Every runner in the order of its name.
    pub(super) fn all(&self) -> Vec<Known> {
        let mut all: Vec<Known> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| a.runner.hostname.cmp(&b.runner.hostname));
        all
    }
}
