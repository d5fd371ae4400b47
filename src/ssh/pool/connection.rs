//! One connection of a runner and its slots.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::lock;
use crate::ssh::session::Session;

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Job,
    Service,
}

const JOB_SLOTS: usize = 8;
const SERVICE_SLOTS: usize = 2;

/// A connection with a count of the sessions in use on it.
pub(super) struct Connection {
    pub(super) session: Session,
    load: Mutex<Load>,
    learnt: Learnt,
}

/// The sessions that a host was seen to allow on one connection; shared by the connections of its site, so that a
/// further one does not have to be refused again.
#[derive(Clone, Default)]
pub(super) struct Learnt(Arc<Mutex<Option<usize>>>);

impl Learnt {
    /// `None` while nothing was refused: at least as many as a connection uses.
    pub(super) fn sessions(&self) -> Option<usize> {
        *lock(&self.0)
    }

    fn refused_beyond(&self, sessions: usize) {
        let mut learnt = lock(&self.0);
        *learnt = Some(learnt.unwrap_or(usize::MAX).min(sessions));
    }
}

#[derive(Clone, Copy, Debug)]
struct Load {
    jobs: usize,
    services: usize,
    /// Sessions that the host allows; learnt when it refuses one.
    limit: usize,
    /// Slots given out since the beginning.
    given: u64,
}

impl Load {
    fn has_room(self, kind: Kind) -> bool {
        // A host with few sessions keeps one back for services when it has two.
        let kept_back = SERVICE_SLOTS.min(self.limit / 2);
        self.jobs + self.services < self.limit
            && match kind {
                Kind::Job => self.jobs < JOB_SLOTS.min(self.limit - kept_back),
                Kind::Service => self.services < SERVICE_SLOTS,
            }
    }

    fn count(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Job => &mut self.jobs,
            Kind::Service => &mut self.services,
        }
    }
}

impl Connection {
    pub(super) fn new(session: Session, learnt: Learnt) -> Self {
        let limit = learnt.sessions().unwrap_or(JOB_SLOTS + SERVICE_SLOTS);
        Self { session, load: Mutex::new(Load { jobs: 0, services: 0, limit, given: 0 }), learnt }
    }

    /// True when it should be given no more work.
    pub(super) fn is_worn(&self) -> bool {
        self.session.is_worn()
    }

    pub(super) fn try_slot(self: &Arc<Self>, kind: Kind, freed: &Arc<Notify>) -> Option<Arc<Slot>> {
        let mut load = lock(&self.load);
        if !load.has_room(kind) {
            return None;
        }
        *load.count(kind) += 1;
        load.given += 1;
        Some(Arc::new(Slot { connection: Arc::clone(self), kind, freed: Arc::clone(freed) }))
    }

    /// Notes that the host refused a session to a slot that is counted here. Returns false when it gives none at all.
    pub(super) fn refused(&self) -> bool {
        let mut load = lock(&self.load);
        let others = load.jobs + load.services - 1;
        load.limit = load.limit.min(others).max(1);
        // A host that gives none at all has another trouble than its limit.
        if others > 0 {
            self.learnt.refused_beyond(load.limit);
        }
        others > 0
    }

    /// How many slots were given out so far, when none is in use.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let load = lock(&self.load);
        (load.jobs + load.services == 0).then_some(load.given)
    }
}

/// One session in use; free again when it is dropped.
pub(super) struct Slot {
    pub(super) connection: Arc<Connection>,
    pub(super) kind: Kind,
    freed: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        *lock(&self.connection.load).count(self.kind) -= 1;
        self.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_always_find_a_slot_that_jobs_may_not_take() {
        let mut load = Load { jobs: 8, services: 0, limit: 10, given: 0 };
        assert!(!load.has_room(Kind::Job) && load.has_room(Kind::Service));
        load.services = 2;
        assert!(!load.has_room(Kind::Service));
        load = Load { jobs: 1, services: 0, limit: 2, given: 0 };
        assert!(!load.has_room(Kind::Job) && load.has_room(Kind::Service));
        load = Load { jobs: 0, services: 0, limit: 1, given: 0 };
        assert!(load.has_room(Kind::Job) && load.has_room(Kind::Service));
    }
}
