//! Waiting jobs of one class in order.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::ids::JobId;

/// A waiting job's place in the order: higher priority first, then the earlier submission.
///
/// The smaller rank goes first. Identifiers are UUIDv7, so their order is the order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    priority: Reverse<i32>,
    job: JobId,
}

impl Rank {
    #[must_use]
    pub const fn new(priority: i32, job: JobId) -> Self {
        Self { priority: Reverse(priority), job }
    }

    #[must_use]
    pub const fn job(self) -> JobId {
        self.job
    }
}

/// The waiting jobs of one class; every change costs the logarithm of their number.
#[derive(Clone, Debug, Default)]
pub struct JobQueue(BTreeSet<Rank>);

impl JobQueue {
    /// The job that goes first.
    #[must_use]
    pub fn head(&self) -> Option<Rank> {
        self.0.first().copied()
    }

    /// Adds a job; one that waits already is left alone.
    pub fn push(&mut self, rank: Rank) {
        self.0.insert(rank);
    }

    /// Takes a job out wherever it stands; tells whether it was there.
    pub fn remove(&mut self, rank: Rank) -> bool {
        self.0.remove(&rank)
    }

    /// How many jobs go before `rank`, which itself need not wait here.
    ///
    /// Counts them one by one: meant for a person's question, not for placing.
    #[must_use]
    pub fn ahead_of(&self, rank: Rank) -> usize {
        self.0.range(..rank).count()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn rank(priority: i32, job: u128) -> Rank {
        Rank::new(priority, JobId(Uuid::from_u128(job)))
    }

    #[test]
    fn a_higher_priority_goes_first_and_then_the_earlier_submission() {
        let mut queue = JobQueue::default();
        let in_order = [rank(i32::MAX, 9), rank(5, 4), rank(0, 1), rank(0, 2), rank(-1, 0), rank(i32::MIN, 3)];
        for place in [3, 0, 5, 1, 4, 2] {
            queue.push(in_order[place]);
        }
        for (place, rank) in in_order.into_iter().enumerate() {
            assert_eq!(queue.ahead_of(rank), place);
        }
        for rank in in_order {
            assert_eq!(queue.head(), Some(rank));
            assert!(queue.remove(rank));
            assert!(!queue.remove(rank));
        }
        assert!(queue.is_empty());
    }
}
