//! Tells listeners that something changed; what changed they read from the store and the logs.

mod recent;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shuntyard_domain::access::Place;
use shuntyard_domain::ids::{ChangeId, FanOutId, JobId, RunnerId};
use tokio::sync::{broadcast, watch};

use recent::Recent;

pub use recent::Mark;

/// How many changes a slow listener may be behind; beyond it, it is told so and reads everything again.
const BACKLOG: usize = 1024;
/// How many changes a reader may have missed, by being cut off or slow, and still get no more than them: 256 KiB in all.
const REMEMBERED: usize = 8192;

/// One thing that lists show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    Runner(RunnerId),
    Job(JobId),
    Change(ChangeId),
    FanOut(FanOutId),
}

/// A thing that is gone, or lies elsewhere now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Removed {
    pub thing: Thing,
    /// Who saw it there is told; a runner that served all lay in the enterprise.
    pub was_at: Place,
}

/// Something that lists show has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum News {
    Job(JobId),
    Runner(RunnerId),
    Change(ChangeId),
    FanOut(FanOutId),
    Removed(Arc<Removed>),
    /// A limit on the jobs of a project.
    Limits,
    /// Users, their roles, or tokens: open streams look again whether their reader still may.
    Access,
}

/// What a listener of one job sees: both numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobPulse {
    /// Bytes of output stored.
    pub log_bytes: u64,
    /// The job record's version.
    pub version: i64,
}

/// The in-memory side of every stream. Nothing here must survive a restart.
#[derive(Clone)]
pub struct Feed {
    changes: broadcast::Sender<News>,
    /// When it began, in Unix milliseconds.
    epoch: i64,
    recent: Arc<Mutex<Recent<News>>>,
    /// The number of the last change.
    last: watch::Sender<u64>,
    pulses: Arc<Mutex<HashMap<JobId, watch::Sender<JobPulse>>>>,
}

/// What a reader has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Each thing once, in order.
    Changes(Vec<(Mark, News)>),
    /// The place is one of another run of the dispatcher.
    Restarted,
    /// More than is remembered.
    TooMuch,
}

impl Feed {
    /// A feed that begins now; `epoch` tells it from those of earlier runs.
    #[must_use]
    pub fn new(epoch: i64) -> Self {
        Self {
            changes: broadcast::Sender::new(BACKLOG),
            epoch,
            recent: Arc::new(Mutex::new(Recent::new(REMEMBERED))),
            last: watch::Sender::new(0),
            pulses: Arc::default(),
        }
    }

    fn tell(&self, news: News) {
        let seq = self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(news.clone());
        // Of two changes the later one may be told first.
        self.last.send_modify(|last| *last = seq.max(*last));
        let _ = self.changes.send(news);
    }

    /// The place behind everything that has changed so far; ask first, then read.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { epoch: self.epoch, seq: self.recent.lock().unwrap_or_else(PoisonError::into_inner).last() }
    }

    /// What has changed behind a place.
    #[must_use]
    pub fn since(&self, at: Mark) -> Missed {
        if at.epoch != self.epoch {
            return Missed::Restarted;
        }
        let changes = self.recent.lock().unwrap_or_else(PoisonError::into_inner).since(at.seq);
        changes.map_or(Missed::TooMuch, |changes| {
            Missed::Changes(changes.into_iter().map(|(seq, news)| (Mark { seq, ..at }, news)).collect())
        })
    }

    /// Waits until something has changed behind a place of this run.
    pub async fn beyond(&self, at: Mark) {
        // The sender lives as long as the feed.
        let _ = self.last.subscribe().wait_for(|last| *last > at.seq).await;
    }

    /// Changes from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<News> {
        self.changes.subscribe()
    }

    /// The pulse of one job from now on; subscribe first, then read the job.
    #[must_use]
    pub fn job(&self, job: JobId) -> watch::Receiver<JobPulse> {
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        // A finished job has no further pulse by which it would be forgotten. Looked at when the map is about to
        // grow anyway, so that a listener pays for it only now and then.
        if pulses.len() == pulses.capacity() {
            pulses.retain(|_, sender| sender.receiver_count() > 0);
        }
        pulses.entry(job).or_default().subscribe()
    }

    pub fn job_changed(&self, job: JobId, version: i64) {
        self.pulse(job, |pulse| pulse.version = pulse.version.max(version));
        self.tell(News::Job(job));
    }

    pub fn log_grew(&self, job: JobId, log_bytes: u64) {
        self.pulse(job, |pulse| pulse.log_bytes = pulse.log_bytes.max(log_bytes));
    }

    pub fn runner_changed(&self, runner: RunnerId) {
        self.tell(News::Runner(runner));
    }

    pub fn change_changed(&self, change: ChangeId) {
        self.tell(News::Change(change));
    }

    pub fn fan_out_changed(&self, fan_out: FanOutId) {
        self.tell(News::FanOut(fan_out));
    }

    /// Something was deleted, or has left the place where it was; to be said once the store and the memory say so.
    pub fn removed(&self, thing: Thing, was_at: Place) {
        self.tell(News::Removed(Arc::new(Removed { thing, was_at })));
    }

    pub fn limits_changed(&self) {
        self.tell(News::Limits);
    }

    pub fn access_changed(&self) {
        self.tell(News::Access);
    }

    /// Only jobs that somebody listens to have a pulse; one whose last listener left is forgotten here.
    fn pulse(&self, job: JobId, beat: impl FnOnce(&mut JobPulse)) {
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = pulses.get(&job) {
            if sender.receiver_count() == 0 {
                pulses.remove(&job);
            } else {
                sender.send_modify(beat);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_job_without_listeners_costs_nothing() {
        let (feed, job) = (Feed::new(0), JobId(Uuid::from_u128(1)));
        feed.log_grew(job, 5);
        assert!(feed.pulses.lock().unwrap().is_empty());
        let listener = feed.job(job);
        feed.log_grew(job, 7);
        feed.job_changed(job, 3);
        feed.log_grew(job, 6);
        assert_eq!(*listener.borrow(), JobPulse { log_bytes: 7, version: 3 });
        drop(listener);
        feed.log_grew(job, 9);
        assert!(feed.pulses.lock().unwrap().is_empty());
    }

    #[test]
    fn listeners_of_finished_jobs_do_not_pile_up() {
        let feed = Feed::new(0);
        for n in 0..100_000 {
            drop(feed.job(JobId(Uuid::from_u128(n))));
        }
        let kept = feed.pulses.lock().unwrap().len();
        assert!(kept < 100, "{kept} pulses without a listener");
    }
}
