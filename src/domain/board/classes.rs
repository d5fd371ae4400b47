//! The classes: jobs that ask for the same runners, and the runners that are free for them.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::BoardRunner;
use super::class_set::ClassSet;
use super::placement::Seat;
use crate::filter::{Attributes, Filter};
use crate::queue::Rank;
use crate::runner::Scope;

/// What the jobs of a class have in common.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ClassKey {
    /// In canonical form.
    pub(super) filter: Filter,
    pub(super) org: String,
}

impl ClassKey {
    /// Tells whether a runner may take the jobs of the class, whatever its availability and free slots.
    pub(super) fn accepts(&self, attributes: &Attributes, scope: &Scope) -> bool {
        accepts_by(&self.filter, &self.org, attributes, scope)
    }
}

/// Tells whether a runner may take a job with this filter, whatever its availability and free slots.
fn accepts_by(filter: &Filter, org: &str, attributes: &Attributes, scope: &Scope) -> bool {
    serves(scope, org) && filter.matches(attributes)
}

/// Tells whether the runner may take a job of the organisation with this filter, whatever it does now.
pub(crate) fn accepts(filter: &Filter, org: &str, runner: &BoardRunner) -> bool {
    accepts_by(filter, org, &runner.attributes, &runner.scope)
}

/// Tells whether a runner of this scope serves the organisation.
pub(crate) fn serves(scope: &Scope, org: &str) -> bool {
    match scope {
        Scope::Enterprise => true,
        Scope::Org(own) => own == org,
    }
}

/// One class.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub(super) key: Arc<ClassKey>,
    /// Those in which jobs wait.
    pub(super) lanes: BTreeSet<u32>,
    /// The first jobs of those that no limit keeps closed.
    heads: BTreeSet<(Rank, u32)>,
    /// Its available runners with a free slot; empty while it has heads.
    pub(super) seats: BTreeSet<Seat>,
    /// The tick of its last use while no job waits.
    idle_since: Option<u64>,
}

/// All classes, by dense index; an index is used again after its class was forgotten.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    all: Vec<Class>,
    by_key: HashMap<Arc<ClassKey>, u32>,
    /// The first job of each class that may be taken, side by side: what a freed slot looks at.
    heads: Vec<Option<Rank>>,
    /// Classes with such jobs.
    hot: ClassSet,
    /// Classes without any waiting job, least recently used first.
    idle: BTreeSet<(u64, u32)>,
    idle_max: usize,
    vacant: Vec<u32>,
}

impl Classes {
    pub(super) fn new(idle_max: usize) -> Self {
        Self {
            all: Vec::new(),
            by_key: HashMap::new(),
            heads: Vec::new(),
            hot: ClassSet::default(),
            idle: BTreeSet::new(),
            idle_max,
            vacant: Vec::new(),
        }
    }

    pub(super) fn keep_idle(&mut self, idle_max: usize) {
        self.idle_max = idle_max;
    }

    pub(super) fn held(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn find(&self, key: &ClassKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// Every class that the board holds, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Class)> {
        self.by_key.values().map(|class| (*class, &self[*class]))
    }

    /// Adds a class without jobs and seats and returns its index.
    pub(super) fn add(&mut self, key: ClassKey, tick: u64) -> u32 {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.all.push(Class::default());
            self.heads.push(None);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        });
        let key = Arc::new(key);
        self.by_key.insert(Arc::clone(&key), index);
        self[index] = Class { key, ..Class::default() };
        self.touch(index, tick);
        index
    }

    /// Notes a lane in which jobs wait from now on.
    pub(super) fn add_lane(&mut self, class: u32, lane: u32) {
        self[class].lanes.insert(lane);
        if let Some(since) = self[class].idle_since.take() {
            self.idle.remove(&(since, class));
        }
    }

    /// Forgets a lane whose last job was taken.
    pub(super) fn remove_lane(&mut self, class: u32, lane: u32, tick: u64) {
        self[class].lanes.remove(&lane);
        self.touch(class, tick);
    }

    /// The first job of a lane may be taken from now on.
    pub(super) fn list(&mut self, class: u32, head: Rank, lane: u32) {
        self[class].heads.insert((head, lane));
        self.refresh(class);
    }

    /// It may not, or is not the first any more.
    pub(super) fn unlist(&mut self, class: u32, head: Rank, lane: u32) {
        self[class].heads.remove(&(head, lane));
        self.refresh(class);
    }

    /// The first job of the class that may be taken.
    pub(super) fn head(&self, class: u32) -> Option<Rank> {
        self.heads.get(class as usize).copied().flatten()
    }

    /// The best job that may be taken among the classes of a runner.
    pub(super) fn best(&self, classes: &ClassSet) -> Option<Rank> {
        classes.common(&self.hot).filter_map(|class| self.heads[class as usize]).min()
    }

    /// Notes that the class was used, if no job waits in it.
    pub(super) fn touch(&mut self, class: u32, tick: u64) {
        if !self[class].lanes.is_empty() {
            return;
        }
        if let Some(since) = self[class].idle_since.replace(tick) {
            self.idle.remove(&(since, class));
        }
        self.idle.insert((tick, class));
    }

    /// Forgets the class that was idle longest if there are too many, and returns its index.
    pub(super) fn forget_one(&mut self) -> Option<u32> {
        if self.idle.len() <= self.idle_max {
            return None;
        }
        let (_, class) = self.idle.pop_first()?;
        let forgotten = std::mem::take(&mut self[class]);
        self.by_key.remove(&forgotten.key);
        self.vacant.push(class);
        Some(class)
    }

    /// Makes head and hot set agree with the heads of the class.
    fn refresh(&mut self, class: u32) {
        let head = self[class].heads.first().map(|(head, _)| *head);
        self.heads[class as usize] = head;
        if head.is_some() {
            self.hot.insert(class);
        } else {
            self.hot.remove(class);
        }
    }
}

impl Index<u32> for Classes {
    type Output = Class;
    fn index(&self, class: u32) -> &Class {
        &self.all[class as usize]
    }
}

impl IndexMut<u32> for Classes {
    fn index_mut(&mut self, class: u32) -> &mut Class {
        &mut self.all[class as usize]
    }
}
