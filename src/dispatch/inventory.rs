//! The runners in memory: record, opened key, contact, and the keeper that holds the connection.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuntyard_domain::attempt::HostIdentity;
use shuntyard_domain::board::{Availability, BoardRunner};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Runner, RunnerState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ssh::RunnerKey;

/// Whether there is a connection to a runner. Never a reason to change a job's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Connecting {
        since_ms: i64,
    },
    Connected {
        since_ms: i64,
    },
    Unreachable {
        since_ms: i64,
        why: String,
        /// Failed tries to connect in a row.
        tries: u32,
        /// `None` when nobody tries again by itself.
        next_try_at_ms: Option<i64>,
    },
}

/// One runner as the engine knows it.
#[derive(Clone)]
pub(super) struct Known {
    pub runner: Arc<Runner>,
    pub key: Arc<RunnerKey>,
    pub contact: Contact,
    /// Its host is being changed: no job is placed there.
    pub closed: bool,
    /// Who the host said it is at the present connection.
    pub identity: HostIdentity,
    /// Ends the keeper of this entry.
    pub keeper_stop: CancellationToken,
    /// Wakes who waits for this runner; as many as it has jobs.
    pub changed: Arc<Notify>,
}

impl Known {
    /// Why only the keeper, or nobody, may connect to this runner now.
    pub(super) fn not_to_be_dialled(&self) -> Option<String> {
        match (self.runner.state, &self.contact) {
            (RunnerState::Quarantined, _) => Some("the runner is quarantined: it shows an unknown host key".into()),
            (_, Contact::Unreachable { why, .. }) => Some(why.clone()),
            (_, Contact::Connecting { .. } | Contact::Connected { .. }) => None,
        }
    }

    /// What the board is told about this runner.
    pub(super) fn for_board(&self) -> BoardRunner {
        BoardRunner {
            id: self.runner.id,
            attributes: self.runner.attributes(),
            scope: self.runner.scope.clone(),
            slots: self.runner.slots_at_a_time(),
            availability: if self.closed { Availability::Draining } else { availability(&self.runner, &self.contact) },
        }
    }
}

fn availability(runner: &Runner, contact: &Contact) -> Availability {
    match (runner.state, contact, runner.health.keeps_jobs_away()) {
        (RunnerState::Pending, _, _) => Availability::Pending,
        (RunnerState::Draining, _, _) => Availability::Draining,
        (RunnerState::Disabled, _, _) => Availability::Disabled,
        (RunnerState::Quarantined, _, _) => Availability::Quarantined,
        (RunnerState::Enrolled, _, _) if runner.spent_by().is_some() => Availability::Spent,
        (RunnerState::Enrolled, Contact::Connecting { .. } | Contact::Unreachable { .. }, _) => {
            Availability::Unreachable
        }
        (RunnerState::Enrolled, Contact::Connected { .. }, true) => Availability::Unhealthy,
        (RunnerState::Enrolled, Contact::Connected { .. }, false) => Availability::Ready,
    }
}

/// Every runner, by id and by name.
#[derive(Default)]
pub(super) struct Inventory {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    known: HashMap<RunnerId, Known>,
    by_name: HashMap<String, RunnerId>,
}

impl Inventory {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces a runner; the keeper of an entry that is replaced is ended.
    pub(super) fn put(&self, known: Known) {
        let mut entries = self.lock();
        entries.by_name.insert(known.runner.hostname.clone(), known.runner.id);
        if let Some(old) = entries.known.insert(known.runner.id, known) {
            old.keeper_stop.cancel();
            old.changed.notify_waiters();
        }
    }

    /// Removes a runner; `tell` is called before anybody else can change it.
    pub(super) fn remove(&self, id: RunnerId, tell: impl FnOnce()) {
        let mut entries = self.lock();
        if let Some(old) = entries.known.remove(&id) {
            entries.by_name.remove(&old.runner.hostname);
            old.keeper_stop.cancel();
            old.changed.notify_waiters();
        }
        tell();
    }

    pub(super) fn get(&self, id: RunnerId) -> Option<Known> {
        self.lock().known.get(&id).cloned()
    }

    /// Those of the ids that no runner has.
    pub(super) fn missing(&self, ids: impl Iterator<Item = RunnerId>) -> BTreeSet<RunnerId> {
        let entries = self.lock();
        ids.filter(|id| !entries.known.contains_key(id)).collect()
    }

    pub(super) fn by_name(&self, hostname: &str) -> Option<Known> {
        let entries = self.lock();
        entries.known.get(entries.by_name.get(hostname)?).cloned()
    }

    /// Changes an entry in place. `tell` is called before anybody else can change it: what it says is said in order.
    pub(super) fn update(&self, id: RunnerId, change: impl FnOnce(&mut Known), tell: impl FnOnce(&Known)) {
        let mut entries = self.lock();
        if let Some(entry) = entries.known.get_mut(&id) {
            change(entry);
            entry.changed.notify_waiters();
            tell(entry);
        }
    }

    /// As `update`, for what nobody waits for.
    pub(super) fn note(&self, id: RunnerId, change: impl FnOnce(&mut Known)) {
        if let Some(entry) = self.lock().known.get_mut(&id) {
            change(entry);
        }
    }

    /// Every runner in the order of its name.
    pub(super) fn all(&self) -> Vec<Known> {
        let mut all: Vec<Known> = self.lock().known.values().cloned().collect();
        all.sort_by(|a, b| a.runner.hostname.cmp(&b.runner.hostname));
        all
    }
}
