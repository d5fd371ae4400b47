//! The classes: jobs that ask for the same runners, and the runners that are free for them.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::BoardRunner;
use super::class_set::ClassSet;
use super::placement::Seat;
use crate::filter::{Attributes, Filter};
use crate::queue::{JobQueue, Rank};
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
#[derive(Debug, Default)]
pub(super) struct Class {
    pub(super) key: Arc<ClassKey>,
    pub(super) queue: JobQueue,
    /// Its available runners with a free slot; empty while jobs wait.
    pub(super) seats: BTreeSet<Seat>,
    /// The tick of its last use while no job waits.
    idle_since: Option<u64>,
}

/// All classes, by dense index; an index is used again after its class was forgotten.
#[derive(Debug)]
pub(super) struct Classes {
    all: Vec<Class>,
    by_key: HashMap<Arc<ClassKey>, u32>,
    /// The first waiting job of each class, side by side: what a freed slot looks at.
    heads: Vec<Option<Rank>>,
    /// Classes with waiting jobs.
    hot: ClassSet,
    /// Classes without, least recently used first.
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

    /// Every class that the board holds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Class)> {
        self.hot.iter().chain(self.idle.iter().map(|(_, class)| *class)).map(|class| (class, &self[class]))
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

    /// Puts a job into the queue of its class.
    pub(super) fn push(&mut self, class: u32, rank: Rank) {
        self[class].queue.push(rank);
        self.refresh(class);
    }

    /// Takes a job out of the queue of its class.
    pub(super) fn remove(&mut self, class: u32, rank: Rank, tick: u64) {
        self[class].queue.remove(rank);
        self.refresh(class);
        self.touch(class, tick);
    }

    /// The best job among the classes of a runner, and its class.
    pub(super) fn best(&self, classes: &ClassSet) -> Option<(Rank, u32)> {
        let heads = classes.common(&self.hot).filter_map(|class| Some((self.heads[class as usize]?, class)));
        heads.min()
    }

    /// How many waiting jobs of these classes go before `rank`.
    pub(super) fn ahead_of(&self, classes: &ClassSet, rank: Rank) -> usize {
        classes.common(&self.hot).map(|class| self[class].queue.ahead_of(rank)).sum()
    }

    /// Notes that the class was used, if no job waits in it.
    pub(super) fn touch(&mut self, class: u32, tick: u64) {
        if !self[class].queue.is_empty() {
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

    /// Makes head, hot set and idle order agree with the queue of the class.
    fn refresh(&mut self, class: u32) {
        let head = self[class].queue.head();
        self.heads[class as usize] = head;
        if head.is_none() {
            self.hot.remove(class);
            return;
        }
        self.hot.insert(class);
        if let Some(since) = self[class].idle_since.take() {
            self.idle.remove(&(since, class));
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
