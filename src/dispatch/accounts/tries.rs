//! How often one may be wrong: a bucket of tries for each user name and each address, which fills again with time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buckets that are remembered. Of a crowd beyond that the fullest is forgotten: it has the least to tell.
const MAX_KEYS: usize = 4096;

/// Buckets of tries by key.
pub(super) struct Tries<K> {
    /// Tries of a full bucket.
    most: i64,
    /// The time in which one try comes back.
    back_ms: i64,
    /// When each bucket will be full again; a full one is not kept.
    full_at_ms: Mutex<HashMap<K, i64>>,
}

impl<K: Clone + Eq + Hash> Tries<K> {
    pub(super) fn new(most: u32, back_ms: i64) -> Self {
        Self { most: i64::from(most), back_ms, full_at_ms: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, i64>> {
        self.full_at_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a try: before it is made, so that many at once are counted.
    ///
    /// # Errors
    /// The seconds to wait when there is none left.
    pub(super) fn take(&self, key: &K, now_ms: i64) -> Result<(), i64> {
        let mut buckets = self.lock();
        let full_at_ms = buckets.get(key).copied().unwrap_or(now_ms).max(now_ms);
        let wait_ms = full_at_ms + self.back_ms - now_ms - self.most * self.back_ms;
        if wait_ms > 0 {
            return Err((wait_ms + 999) / 1000);
        }
        if buckets.len() >= MAX_KEYS && !buckets.contains_key(key) {
            make_room(&mut buckets, now_ms);
        }
        buckets.insert(key.clone(), full_at_ms + self.back_ms);
        Ok(())
    }

    /// Gives a try back: it was right.
    pub(super) fn give_back(&self, key: &K) {
        if let Some(full_at_ms) = self.lock().get_mut(key) {
            *full_at_ms -= self.back_ms;
        }
    }

    /// Fills a bucket: who it is about is known now.
    pub(super) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }
}

fn make_room<K: Clone + Eq + Hash>(buckets: &mut HashMap<K, i64>, now_ms: i64) {
    buckets.retain(|_, full_at_ms| *full_at_ms > now_ms);
    if buckets.len() >= MAX_KEYS
        && let Some(fullest) = buckets.iter().min_by_key(|(_, full_at_ms)| **full_at_ms).map(|(key, _)| key.clone())
    {
        buckets.remove(&fullest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_empty_fills_again_by_one_try_at_a_time() {
        let tries = Tries::new(3, 10_000);
        for _ in 0..3 {
            assert_eq!(tries.take(&"ann", 5), Ok(()));
        }
        assert_eq!(tries.take(&"ann", 5), Err(10));
        assert_eq!(tries.take(&"bob", 5), Ok(()), "everybody has their own");
        assert_eq!(tries.take(&"ann", 10_004), Err(1));
        assert_eq!(tries.take(&"ann", 10_005), Ok(()));
        assert_eq!(tries.take(&"ann", 10_005), Err(10));
        for _ in 0..3 {
            assert_eq!(tries.take(&"ann", 1_000_000), Ok(()), "and is never more than full");
        }
        assert_eq!(tries.take(&"ann", 1_000_000), Err(10));
    }

    #[test]
    fn a_try_that_was_right_costs_nothing() {
        let tries = Tries::new(2, 10_000);
        for _ in 0..100 {
            assert_eq!(tries.take(&1, 0), Ok(()));
            tries.give_back(&1);
        }
        assert_eq!((tries.take(&1, 0), tries.take(&1, 0), tries.take(&1, 0)), (Ok(()), Ok(()), Err(10)));
        tries.forget(&1);
        assert_eq!(tries.take(&1, 0), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_a_crowd_does_not_free_who_has_no_try_left() {
        let tries = Tries::new(2, 10_000);
        assert!(tries.take(&0, 0).is_ok() && tries.take(&0, 0).is_ok());
        for key in 1..20_000 {
            assert_eq!(tries.take(&key, 1), Ok(()));
        }
        assert!(tries.lock().len() <= MAX_KEYS);
        assert!(tries.take(&0, 2).is_err());
        assert_eq!(tries.take(&20_000, 1_000_000), Ok(()));
        assert_eq!(tries.lock().len(), 1, "full buckets are not kept");
    }
}
