//! Chef's five words for rows, phases and stages, and how many become one.

use crate::closed::closed_list;

closed_list!(
    /// How far a row, a phase or a stage is.
    Status {
        Idle = "idle", Running = "running", Passed = "passed", Failed = "failed", Skipped = "skipped",
    }
);

/// The status of a whole from those of its parts, by Chef's precedence: any failed, failed; else any running,
/// running; else any idle, idle; else all skipped, skipped; else passed.
///
/// A whole without parts has nothing to do and is skipped.
#[must_use]
pub fn aggregate(parts: impl IntoIterator<Item = Status>) -> Status {
    let mut whole = Status::Skipped;
    for part in parts {
        whole = if weight(part) > weight(whole) { part } else { whole };
    }
    whole
}

const fn weight(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Passed => 1,
        Status::Idle => 2,
        Status::Running => 3,
        Status::Failed => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_become_one_by_chefs_precedence() {
        use Status::{Failed, Idle, Passed, Running, Skipped};
        for (parts, whole) in [
            (&[Passed, Running, Failed, Idle][..], Failed),
            (&[Passed, Idle, Running], Running),
            (&[Passed, Idle, Skipped], Idle),
            (&[Skipped, Skipped], Skipped),
            (&[Skipped, Passed], Passed),
            (&[Passed, Passed], Passed),
            (&[], Skipped),
        ] {
            assert_eq!(aggregate(parts.iter().copied()), whole, "{parts:?}");
        }
    }
}
