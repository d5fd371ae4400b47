//! Measured waits.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A look that comes this late did so because the machine had no time for us.
const LATE: Duration = Duration::from_millis(100);

/// Waits until `condition` and returns how long that took, without the time in which this machine did not run us: a
/// loaded machine, or one that was paused, is not what is measured.
pub fn time_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let (began, mut stood_still) = (Instant::now(), Duration::ZERO);
    while !condition() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        let asleep = Instant::now();
        std::thread::sleep(LOOK);
        let slept = asleep.elapsed();
        if slept > LATE {
            stood_still += slept - LOOK;
        }
    }
    began.elapsed() - stood_still
}

/// The value that this share (0 to 100) of the sorted values does not exceed.
pub fn percentile(sorted: &[Duration], share: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * share / 100).min(last)).copied().unwrap_or_default()
}
