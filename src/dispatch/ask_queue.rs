//! What is to be asked about next: each thing once, in the order of the asking.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A queue in which nothing is twice.
pub(super) struct AskQueue<T> {
    order: VecDeque<T>,
    queued: HashSet<T>,
}

impl<T> Default for AskQueue<T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), queued: HashSet::new() }
    }
}

impl<T: Copy + Eq + Hash> AskQueue<T> {
    pub(super) fn push(&mut self, asked: T) {
        if self.queued.insert(asked) {
            self.order.push_back(asked);
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let asked = self.order.pop_front()?;
        self.queued.remove(&asked);
        Some(asked)
    }
}
