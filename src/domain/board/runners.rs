//! The runners that the board knows, by dense index.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut};

use super::class_set::ClassSet;
use super::placement::Seat;
use super::{Availability, BoardRunner};
use crate::ids::{JobId, RunnerId};

/// A runner and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) runner: BoardRunner,
    /// Jobs that hold a slot, and how many: two when a job came back before its first slot was freed.
    pub(super) running: BTreeMap<JobId, u32>,
    /// Slots taken; more than there are only after recovery or when slots were taken away.
    pub(super) used: u32,
    /// Classes whose jobs it may take.
    pub(super) classes: ClassSet,
    /// Where it stands among the free runners of its classes; `None` while it takes nothing.
    pub(super) seat: Option<Seat>,
    /// The tick of its last assignment; 0 = never.
    pub(super) last_used: u64,
    /// Its runner was removed; the index may be given to another.
    gone: bool,
}

impl Entry {
    /// Tells whether it may be given a job now.
    pub(super) fn is_free(&self) -> bool {
        self.runner.availability == Availability::Ready && self.used < self.runner.slots
    }

    /// Takes a slot for the job.
    pub(super) fn take(&mut self, job: JobId, tick: u64) {
        *self.running.entry(job).or_insert(0) += 1;
        self.used += 1;
        self.last_used = tick;
    }

    /// Frees a slot of the job; tells whether it held one.
    pub(super) fn free(&mut self, job: JobId) -> bool {
        let Some(held) = self.running.get_mut(&job) else { return false };
        *held -= 1;
        if *held == 0 {
            self.running.remove(&job);
        }
        self.used -= 1;
        true
    }
}

/// All runners; an index is used again after its runner was removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Runners {
    all: Vec<Entry>,
    by_id: HashMap<RunnerId, u32>,
    vacant: Vec<u32>,
}

impl Runners {
    pub(super) fn find(&self, id: RunnerId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Adds a runner that holds nothing and is in no class.
    pub(super) fn add(&mut self, runner: BoardRunner) -> u32 {
        let id = runner.id;
        let entry = Entry {
            runner,
            running: BTreeMap::new(),
            used: 0,
            classes: ClassSet::default(),
            seat: None,
            last_used: 0,
            gone: false,
        };
        let index = if let Some(index) = self.vacant.pop() {
            self[index] = entry;
            index
        } else {
            self.all.push(entry);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        };
        self.by_id.insert(id, index);
        index
    }

    /// Removes a runner that has no seat any more; what is left at its index belongs to nobody.
    pub(super) fn remove(&mut self, index: u32) {
        let id = self[index].runner.id;
        if self.by_id.remove(&id).is_some() {
            self[index].running = BTreeMap::new();
            self[index].classes = ClassSet::default();
            self[index].gone = true;
            self.vacant.push(index);
        }
    }

    /// The indices of all known runners, in their order: what is decided by it is the same in every run.
    pub(super) fn indices(&self) -> Vec<u32> {
        let mut indices: Vec<u32> = self.by_id.values().copied().collect();
        indices.sort_unstable();
        indices
    }

    /// Every known runner, by index.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter().filter(|entry| !entry.gone)
    }

    /// Every known runner, to be put into classes.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.all.iter_mut().filter(|entry| !entry.gone)
    }

    /// Takes a class from every runner.
    pub(super) fn leave_class(&mut self, class: u32) {
        self.all.iter_mut().for_each(|entry| entry.classes.remove(class));
    }
}

impl Index<u32> for Runners {
    type Output = Entry;
    fn index(&self, runner: u32) -> &Entry {
        &self.all[runner as usize]
    }
}

impl IndexMut<u32> for Runners {
    fn index_mut(&mut self, runner: u32) -> &mut Entry {
        &mut self.all[runner as usize]
    }
}
