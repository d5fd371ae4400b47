//! Whether the engine answers, and the figures that somebody asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use shuntyard_domain::runner::{Health, RunnerState};
use tokio::sync::oneshot;

use super::event_loop::LoopEvent;
use super::{Contact, DispatchError, Dispatcher};
use crate::metrics::{Figure, TIDY_EVERY};
use crate::store::{StoreError, jobs_placed_by_state, setting_find};

/// How long each part has for its answer before it counts as stuck for a probe of readiness.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Why nobody should be sent here now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the daemon is stopping")]
    Stopping,
    #[error("the event loop does not answer")]
    EventLoop,
    #[error("the store does not answer")]
    StoreSilent,
    #[error("the store cannot be read or written")]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// Asks the event loop, the store's readers and its writer; each has `PATIENCE`.
    ///
    /// # Errors
    /// `NotReady`
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.stop_signal().is_cancelled() {
            return Err(NotReady::Stopping);
        }
        self.waiting(PATIENCE).await.ok_or(NotReady::EventLoop)?;
        let asked = async {
            self.0.store.read(|c| setting_find(c, "ready")).await?;
            self.0.store.write(|_| Ok::<_, StoreError>(())).await
        };
        Ok(tokio::time::timeout(PATIENCE, asked).await.map_err(|_| NotReady::StoreSilent)??)
    }

    /// Tells whether event loop and the store's writer are going round at all, within `patience` each.
    ///
    /// A database that refuses is no reason to start again: whoever says so is alive.
    pub async fn lives(&self, patience: Duration) -> bool {
        let written = self.0.store.write(|_| Ok::<_, StoreError>(()));
        let (waiting, written) = tokio::join!(self.waiting(patience), tokio::time::timeout(patience, written));
        let writer_lives = written.is_ok_and(|answer| !matches!(answer, Err(StoreError::Closed)));
        waiting.is_some() && writer_lives
    }

    /// Jobs that wait on the board; `None`: nobody has answered.
    async fn waiting(&self, patience: Duration) -> Option<usize> {
        let (ask, answer) = oneshot::channel();
        self.0.loop_events.send(LoopEvent::Waiting(ask)).ok()?;
        tokio::time::timeout(patience, answer).await.ok()?.ok()
    }

    /// All metrics as text. Costs O(runners + jobs that are placed).
    ///
    /// # Errors
    /// `Store`, `Interrupted` when the event loop does not answer.
    pub async fn scrape(&self) -> Result<String, DispatchError> {
        let waiting = self.waiting(PATIENCE).await.ok_or(DispatchError::Interrupted)?;
        let placed = self.0.store.read(jobs_placed_by_state).await?;
        let metrics = &self.0.metrics;
        metrics.set(Figure::Jobs("queued", waiting));
        metrics.set(Figure::QueuePaused(self.queue_standing().paused));
        placed.into_iter().for_each(|(state, count)| metrics.set(Figure::Jobs(state, count)));
        self.count_runners();
        metrics.set(Figure::Connections(self.0.pool.connections()));
        Ok(metrics.render())
    }

    /// Every word is set, also to 0: a figure that is not set keeps its last value.
    fn count_runners(&self) {
        const CONTACTS: [&str; 3] = ["connecting", "connected", "unreachable"];
        const HEALTH: [&str; 4] = ["untested", "pending", "ok", "error"];
        let (mut states, mut contacts, mut health) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut slots = 0;
        for known in self.0.inventory.all() {
            *states.entry(known.runner.state).or_insert(0) += 1;
            *contacts.entry(contact_word(&known.contact)).or_insert(0) += 1;
            *health.entry(health_word(&known.runner.health)).or_insert(0) += 1;
            slots += known.runner.slots as usize;
        }
        let metrics = &self.0.metrics;
        for state in RunnerState::ALL {
            metrics.set(Figure::RunnerStates(state.as_str(), states.get(state).copied().unwrap_or(0)));
        }
        CONTACTS.iter().for_each(|word| metrics.set(Figure::Contacts(word, contacts.get(word).copied().unwrap_or(0))));
        HEALTH.iter().for_each(|word| metrics.set(Figure::Health(word, health.get(word).copied().unwrap_or(0))));
        metrics.set(Figure::Slots(slots));
    }

    /// Starts the task that keeps the counters small.
    pub(super) fn tidy_metrics(&self) {
        let metrics = self.0.metrics.clone();
        self.0.tasks.spawn(tracing::debug_span!("metrics"), move |stop| async move {
            while tokio::time::timeout(TIDY_EVERY, stop.cancelled()).await.is_err() {
                metrics.tidy();
            }
        });
    }
}

const fn contact_word(contact: &Contact) -> &'static str {
    match contact {
        Contact::Connecting { .. } => "connecting",
        Contact::Connected { .. } => "connected",
        Contact::Unreachable { .. } => "unreachable",
    }
}

const fn health_word(health: &Health) -> &'static str {
    match health {
        Health::Untested => "untested",
        Health::Pending { .. } => "pending",
        Health::Ok { .. } => "ok",
        Health::Error { .. } => "error",
    }
}
