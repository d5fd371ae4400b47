//! Contents that are about to be named in the database: a sweep leaves them.
//!
//! A pin outlives its holder until the next sweep has begun. So whatever a sweep reads from the database, a content whose
//! name was committed meanwhile is pinned still.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuntyard_domain::digest::Digest;

/// How many holders each pinned content has; 0: it was let go of since the last sweep began.
#[derive(Clone, Default)]
pub(super) struct Pins(Arc<Mutex<HashMap<Digest, usize>>>);

/// Keeps one content from being swept. Dropped behind the commit that names it.
pub struct Pin {
    pins: Pins,
    digest: Digest,
}

impl Pins {
    pub(super) fn pin(&self, digest: Digest) -> Pin {
        *self.counts().entry(digest).or_default() += 1;
        Pin { pins: self.clone(), digest }
    }

    pub(super) fn holds(&self, digest: Digest) -> bool {
        self.counts().contains_key(&digest)
    }

    /// Forgets what was let go of before now; the database tells of that.
    pub(super) fn forget_released(&self) {
        self.counts().retain(|_, holders| *holders > 0);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(holders) = self.pins.counts().get_mut(&self.digest) {
            *holders = holders.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_holds_until_a_sweep_begins_behind_its_release() {
        let (pins, digest) = (Pins::default(), Digest::of_sha256([7; 32]));
        let (first, second) = (pins.pin(digest), pins.pin(digest));
        drop(first);
        pins.forget_released();
        assert!(pins.holds(digest));
        drop(second);
        assert!(pins.holds(digest), "a sweep that has begun before must see it");
        pins.forget_released();
        assert!(!pins.holds(digest));
    }
}
