//! What a dispatcher has on its disk: jobs, events applied in transactions, and logs by offset.

use std::collections::BTreeMap;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{IllegalTransition, Job, JobEvent, transition};
use shuntyard_domain::outcome::LogSummary;
use shuntyard_domain::output::{Cksum, new_part};

/// A commit or a write was not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    Illegal(IllegalTransition),
    /// An error of the disk or of the database's connection: it may have been written nevertheless.
    Failed,
}

#[derive(Default)]
pub struct Log {
    pub bytes: Vec<u8>,
    /// What survives a power cut.
    pub synced: usize,
}

#[derive(Default)]
pub struct Store {
    pub jobs: BTreeMap<JobId, Job>,
    pub logs: BTreeMap<AttemptId, Log>,
    /// The instance id in each runner's record.
    pub instances: Vec<String>,
    pub disk_full: bool,
}

/// What happens to one commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// Not written, and the caller hears so.
    Refused,
    /// Written, and the caller hears that it failed.
    Doubtful,
}

impl Store {
    /// Takes a job through events in one transaction.
    pub fn apply(&mut self, id: JobId, events: &[JobEvent], now_ms: i64, fate: Fate) -> Result<Job, StoreFault> {
        if fate == Fate::Refused || self.disk_full {
            return Err(StoreFault::Failed);
        }
        let mut job = self.jobs.get(&id).cloned().ok_or(StoreFault::Failed)?;
        for event in events {
            job = transition(&job, event, now_ms).map_err(StoreFault::Illegal)?;
        }
        self.jobs.insert(id, job.clone());
        if fate == Fate::Doubtful { Err(StoreFault::Failed) } else { Ok(job) }
    }

    pub fn stored_bytes(&self, attempt: AttemptId) -> usize {
        self.logs.get(&attempt).map_or(0, |log| log.bytes.len())
    }

    /// Appends what is new; a full disk takes `room` bytes of it. `checked`: the offset is looked at.
    pub fn append(
        &mut self,
        attempt: AttemptId,
        offset: usize,
        bytes: &[u8],
        room: usize,
        checked: bool,
    ) -> Result<usize, StoreFault> {
        let log = self.logs.entry(attempt).or_default();
        let stored = log.bytes.len() as u64;
        let new = if checked { new_part(stored, offset as u64, bytes).map_err(|_| StoreFault::Failed)? } else { bytes };
        if self.disk_full {
            log.bytes.extend_from_slice(&new[..room.min(new.len())]);
            return Err(StoreFault::Failed);
        }
        log.bytes.extend_from_slice(new);
        Ok(log.bytes.len())
    }

    /// Syncs, and answers what is stored.
    pub fn seal(&mut self, attempt: AttemptId) -> LogSummary {
        let log = self.logs.entry(attempt).or_default();
        log.synced = log.bytes.len();
        let mut sum = Cksum::default();
        sum.update(&log.bytes);
        LogSummary { bytes: sum.bytes(), cksum: sum.value(), truncated: false }
    }

    /// The machine loses power: commits survive, and of the logs what was synced and a part of the rest.
    pub fn power_cut(&mut self, mut keep: impl FnMut(usize) -> usize) {
        for log in self.logs.values_mut() {
            let rest = log.bytes.len() - log.synced;
            log.bytes.truncate(log.synced + keep(rest));
        }
    }
}
