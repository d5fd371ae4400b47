//! Which runner has which tree of files, as far as the board has sent them there.

use std::collections::{BTreeSet, HashMap};

use super::Board;
use crate::digest::Digest;
use crate::ids::JobId;

/// Runners of one tree that are looked at for a job: the rest may be as good, and looking costs time.
const LOOK_AT: usize = 64;

/// The last tree of each runner, and the job with which it went there.
#[derive(Clone, Debug, Default)]
pub(super) struct Trees {
    last: HashMap<u32, (Digest, JobId)>,
    runners: HashMap<Digest, BTreeSet<u32>>,
    by_job: HashMap<JobId, u32>,
}

impl Trees {
    /// Notes what a runner was given with a job; a job without a tree changes nothing.
    pub(super) fn given(&mut self, runner: u32, tree: Option<Digest>, job: JobId) {
        let Some(tree) = tree else { return };
        self.forget(runner);
        self.last.insert(runner, (tree, job));
        self.runners.entry(tree).or_default().insert(runner);
        self.by_job.insert(job, runner);
    }

    /// Notes that a job waits again: where it came from, its tree may never have arrived.
    pub(super) fn came_back(&mut self, job: JobId) {
        if let Some(runner) = self.by_job.get(&job).copied() {
            self.forget(runner);
        }
    }

    /// Forgets a runner that is gone.
    pub(super) fn forget(&mut self, runner: u32) {
        let Some((tree, job)) = self.last.remove(&runner) else { return };
        if self.by_job.get(&job) == Some(&runner) {
            self.by_job.remove(&job);
        }
        if let Some(runners) = self.runners.get_mut(&tree) {
            runners.remove(&runner);
            if runners.is_empty() {
                self.runners.remove(&tree);
            }
        }
    }
}

impl Board {
    /// A runner of the class that has the tree and is as free as `first`.
    pub(super) fn with_the_tree(&self, class: u32, first: u32, tree: Option<Digest>) -> Option<u32> {
        let holders = self.trees.runners.get(&tree?).filter(|_| self.placer.prefers_trees())?;
        let best = self.runners[first].seat?;
        let ties = |runner: &u32| {
            let entry = &self.runners[*runner];
            entry.classes.contains(class) && entry.seat.is_some_and(|seat| seat.ties_with(&best))
        };
        holders.iter().take(LOOK_AT).copied().find(ties)
    }
}
