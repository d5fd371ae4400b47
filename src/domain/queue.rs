//! Waiting jobs of one class in order.

use std::collections::BTreeMap;

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

/// Ranks in one block, at most: moving half as many costs less than a cache miss or two.
const BLOCK_MAX: usize = 256;

/// The waiting jobs of one lane, in order.
///
/// Sorted blocks under a lower bound of what each holds: a change costs the logarithm of their number and a move
/// within one block, and a place in the queue is counted block by block.
#[derive(Clone, Debug, Default)]
pub struct JobQueue {
    /// No block is empty; every rank is at or above its block's key and below the next one's.
    blocks: BTreeMap<Rank, Vec<Rank>>,
    len: usize,
}

impl JobQueue {
    /// The job that goes first.
    #[must_use]
    pub fn head(&self) -> Option<Rank> {
        self.blocks.first_key_value().and_then(|(_, block)| block.first().copied())
    }

    /// Adds a job; one that waits already is left alone.
    pub fn push(&mut self, rank: Rank) {
        let Some(key) = self.key_of(rank) else {
            // In front of all: the first block takes it, under a bound that holds again.
            let mut block = self.blocks.pop_first().map(|(_, block)| block).unwrap_or_default();
            block.insert(0, rank);
            self.len += 1;
            self.settle(rank, block);
            return;
        };
        let block = self.blocks.entry(key).or_default();
        if let Err(place) = block.binary_search(&rank) {
            block.insert(place, rank);
            self.len += 1;
            if block.len() > BLOCK_MAX {
                let block = std::mem::take(block);
                self.settle(key, block);
            }
        }
    }

    /// Takes a job out wherever it stands; tells whether it was there.
    pub fn remove(&mut self, rank: Rank) -> bool {
        let Some(key) = self.key_of(rank) else { return false };
        let block = self.blocks.entry(key).or_default();
        let found = block.binary_search(&rank).map(|place| block.remove(place)).is_ok();
        if block.is_empty() {
            self.blocks.remove(&key);
        }
        self.len -= usize::from(found);
        found
    }

    /// How many jobs go before `rank`, which itself need not wait here.
    #[must_use]
    pub fn ahead_of(&self, rank: Rank) -> usize {
        let mut blocks = self.blocks.range(..=rank);
        let last = blocks.next_back().map_or(0, |(_, block)| block.partition_point(|other| *other < rank));
        last + blocks.map(|(_, block)| block.len()).sum::<usize>()
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key of the block in which the rank is, or would be; `None` when it goes in front of all.
    fn key_of(&self, rank: Rank) -> Option<Rank> {
        self.blocks.range(..=rank).next_back().map(|(key, _)| *key)
    }

    /// Stores a block, in halves when it has grown too long.
    fn settle(&mut self, key: Rank, mut block: Vec<Rank>) {
        if block.len() > BLOCK_MAX {
            let upper = block.split_off(block.len() / 2);
            if let Some(first) = upper.first() {
                self.blocks.insert(*first, upper);
            }
        }
        self.blocks.insert(key, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_does_what_an_ordered_set_does(
            steps in proptest::collection::vec((0..4_u8, 0..3000_u128), 1..4000),
            asked in 0..3000_u128,
        ) {
            let (mut queue, mut set) = (JobQueue::default(), BTreeSet::new());
            for (step, job) in steps {
                if step == 0 {
                    prop_assert_eq!(queue.remove(rank(0, job)), set.remove(&rank(0, job)));
                } else {
                    queue.push(rank(0, job));
                    set.insert(rank(0, job));
                }
                prop_assert_eq!(queue.len(), set.len());
                prop_assert_eq!(queue.head(), set.first().copied());
            }
            let ahead = |job| set.range(..rank(0, job)).count();
            prop_assert_eq!(queue.ahead_of(rank(0, asked)), ahead(asked));
            while let Some(head) = queue.head() {
                prop_assert_eq!(Some(head), set.pop_first());
                prop_assert!(queue.remove(head));
            }
            prop_assert!(set.is_empty() && queue.is_empty());
        }
    }
}
