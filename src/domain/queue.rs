//! Waiting jobs of one class in order.

use std::collections::BTreeSet;

use crate::ids::JobId;

/// What one point of priority is worth: a job with it goes before those that were submitted so much earlier, and
/// behind those that have waited longer than that. So no stream of urgent jobs keeps another waiting for ever.
pub const PRIORITY_POINT_MS: i64 = 10 * 60 * 1000;

/// A waiting job's place in the order: the earlier submission first, each point of priority counting as ten minutes.
///
/// The smaller rank goes first. Identifiers are UUIDv7: they say when the job was submitted, and of equal times their
/// order is the order of submission. A rank never changes while its job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Unix milliseconds of the submission, moved by the priority.
    counted_from_ms: i64,
    job: JobId,
}

impl Rank {
    #[must_use]
    pub fn new(priority: i32, job: JobId) -> Self {
        // 48 bits of time and 31 of priority times 20: far within 64 bits.
        let submitted_ms = i64::try_from(job.0.as_u128() >> 80).unwrap_or(i64::MAX / 2);
        Self { counted_from_ms: submitted_ms - i64::from(priority) * PRIORITY_POINT_MS, job }
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
    fn a_point_of_priority_is_worth_ten_minutes_of_waiting() {
        let at = |minutes: u128, n: u128| (minutes * 60_000) << 80 | n;
        let old = rank(0, at(100, 1));
        assert!(rank(1, at(109, 2)) < old, "nine minutes younger, one point more urgent");
        assert!(old < rank(1, at(111, 2)), "eleven minutes younger");
        assert!(rank(0, at(100, 2)) > old && rank(0, at(101, 0)) > old, "in order of submission");
        assert!(rank(i32::MAX, (1 << 127) | 1) < rank(i32::MIN, 0));
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
