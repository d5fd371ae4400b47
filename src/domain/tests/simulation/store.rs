//! What dispatchers have on disk: jobs in one database, changed by compare-and-set, and logs, each on its own disk.

use std::collections::BTreeMap;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{Job, JobEvent, transition};
use shuntyard_domain::outcome::LogSummary;
use shuntyard_domain::output::{Cksum, new_part};
use shuntyard_domain::recovery::Fault;

/// The disk was full: a part may have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFault;

#[derive(Default)]
pub struct Log {
    pub bytes: Vec<u8>,
    /// What survives a power cut.
    pub synced: usize,
}

#[derive(Default)]
pub struct Store {
    pub jobs: BTreeMap<JobId, Job>,
    /// By dispatcher and attempt.
    pub logs: BTreeMap<(usize, AttemptId), Log>,
    /// The boot of the host at the intent to start, as the dispatcher knew it from its connection.
    pub intents: BTreeMap<AttemptId, Option<u32>>,
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
    /// Takes a job through events in one transaction, if it still has the attempt `of`.
    pub fn apply(
        &mut self,
        id: JobId,
        of: Option<u32>,
        events: &[JobEvent],
        now_ms: i64,
        fate: Fate,
    ) -> Result<Job, Fault> {
        if fate == Fate::Refused || self.disk_full {
            return Err(Fault::Unknown);
        }
        let mut job = self.jobs.get(&id).cloned().ok_or(Fault::Ended)?;
        if of.is_some_and(|attempt| attempt != job.attempt) {
            return Err(Fault::Changed);
        }
        for event in events {
            job = transition(&job, event, now_ms)
                .map_err(|illegal| if illegal.ended { Fault::Ended } else { Fault::Changed })?;
        }
        self.jobs.insert(id, job.clone());
        if fate == Fate::Doubtful { Err(Fault::Unknown) } else { Ok(job) }
    }

    pub fn stored_bytes(&self, home: usize, attempt: AttemptId) -> usize {
        self.logs.get(&(home, attempt)).map_or(0, |log| log.bytes.len())
    }

    /// Appends what is new; a full disk takes `room` bytes of it. `checked`: the offset is looked at.
    pub fn append(
        &mut self,
        (home, attempt): (usize, AttemptId),
        offset: usize,
        bytes: &[u8],
        room: usize,
        checked: bool,
    ) -> Result<usize, DiskFault> {
        let log = self.logs.entry((home, attempt)).or_default();
        let stored = log.bytes.len() as u64;
        let new = if checked { new_part(stored, offset as u64, bytes).map_err(|_| DiskFault)? } else { bytes };
        if self.disk_full {
            log.bytes.extend_from_slice(&new[..room.min(new.len())]);
            return Err(DiskFault);
        }
        log.bytes.extend_from_slice(new);
        Ok(log.bytes.len())
    }

    /// Syncs, and answers what is stored.
    pub fn seal(&mut self, home: usize, attempt: AttemptId) -> Result<LogSummary, DiskFault> {
        if self.disk_full {
            return Err(DiskFault);
        }
        let log = self.logs.entry((home, attempt)).or_default();
        log.synced = log.bytes.len();
        let mut sum = Cksum::default();
        sum.update(&log.bytes);
        Ok(LogSummary { bytes: sum.bytes(), cksum: sum.value(), ..LogSummary::default() })
    }

    /// A dispatcher's machine loses power: of its logs survives what was synced and a part of the rest.
    pub fn power_cut(&mut self, home: usize, mut keep: impl FnMut(usize) -> usize) {
        for (_, log) in self.logs.iter_mut().filter(|((its, _), _)| *its == home) {
            let rest = log.bytes.len() - log.synced;
            log.bytes.truncate(log.synced + keep(rest));
        }
    }
}
