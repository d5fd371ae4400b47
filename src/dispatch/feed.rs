//! Tells listeners that something changed; what changed they read from the store and the logs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shuntyard_domain::ids::{ChangeId, FanOutId, JobId, RunnerId};
use tokio::sync::{broadcast, watch};

/// How many changes a slow listener may be behind; beyond it, it is told so and reads everything again.
const BACKLOG: usize = 1024;

/// Something that lists show has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Job(JobId),
    Runner(RunnerId),
    Change(ChangeId),
    FanOut(FanOutId),
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
    pulses: Arc<Mutex<HashMap<JobId, watch::Sender<JobPulse>>>>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { changes: broadcast::Sender::new(BACKLOG), pulses: Arc::default() }
    }
}

impl Feed {
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
        let _ = self.changes.send(News::Job(job));
    }

    pub fn log_grew(&self, job: JobId, log_bytes: u64) {
        self.pulse(job, |pulse| pulse.log_bytes = pulse.log_bytes.max(log_bytes));
    }

    pub fn runner_changed(&self, runner: RunnerId) {
        let _ = self.changes.send(News::Runner(runner));
    }

    pub fn change_changed(&self, change: ChangeId) {
        let _ = self.changes.send(News::Change(change));
    }

    pub fn fan_out_changed(&self, fan_out: FanOutId) {
        let _ = self.changes.send(News::FanOut(fan_out));
    }

    pub fn limits_changed(&self) {
        let _ = self.changes.send(News::Limits);
    }

    pub fn access_changed(&self) {
        let _ = self.changes.send(News::Access);
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
        let (feed, job) = (Feed::default(), JobId(Uuid::from_u128(1)));
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
        let feed = Feed::default();
        for n in 0..100_000 {
            drop(feed.job(JobId(Uuid::from_u128(n))));
        }
        let kept = feed.pulses.lock().unwrap().len();
        assert!(kept < 100, "{kept} pulses without a listener");
    }
}
