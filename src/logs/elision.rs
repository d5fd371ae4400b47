//! The part of a large log that is not kept: its middle.
//!
//! Offsets count the whole output, also behind what was dropped: the log's file keeps its length and gets a hole. A file
//! beside it, `ATTEMPT.elided`, says from where to where, and the running sum, which the hole's bytes went into.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use shuntyard_domain::output::{BLOCK_BYTES, Cksum, head_bytes};

/// How much longer than its share the tail may become before it is cut, so that a log that grows fast is not cut all
/// the time. At its end a log is cut to the cap.
pub(super) const SLACK_BYTES: u64 = 8 << 20;

/// What of an attempt's output is not kept, and the sum so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elision {
    pub from: u64,
    pub to: u64,
    /// The sum's state after `summed` bytes.
    pub summed: u64,
    pub state: u32,
}

impl Elision {
    /// What has to go from a log of `stored` bytes of which `cap_bytes` may be kept, and `slack` more; `None`: nothing.
    ///
    /// Half of the cap is for the head, half for the tail.
    pub fn due(cap_bytes: u64, earlier: Option<&Range<u64>>, stored: u64, slack: u64) -> Option<Range<u64>> {
        let half = head_bytes(cap_bytes);
        let (from, kept_from) = earlier.map_or((half, half), |range| (range.start, range.end));
        if stored <= kept_from.saturating_add(half).saturating_add(slack) {
            return None;
        }
        let to = (stored - half).next_multiple_of(BLOCK_BYTES);
        (to > kept_from).then_some(from..to)
    }

    pub(super) fn path(log: &Path) -> PathBuf {
        log.with_extension("elided")
    }

    /// What the file beside the log says; a log without one is whole.
    pub fn read(log: &Path) -> std::io::Result<Option<Self>> {
        let text = match fs::read_to_string(Self::path(log)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bad = || std::io::Error::new(ErrorKind::InvalidData, "the file beside the log is damaged");
        let numbers: Vec<u64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [from, to, summed, state] = numbers[..] else { return Err(bad()) };
        Ok(Some(Self { from, to, summed, state: u32::try_from(state).map_err(|_| bad())? }))
    }

    /// Drops `range` from the log: first it is said, durably, then it is done. A file system that frees nothing keeps
    /// the bytes, which nobody reads any more.
    ///
    /// The log itself is not synced: what goes need never reach the disk. After a power cut it may be shorter than the
    /// sum says; `LogWriter::open` sees that.
    pub fn drop_range(log: &Path, file: &File, range: &Range<u64>, sum: &Cksum) -> std::io::Result<()> {
        let (path, temporary) = (Self::path(log), log.with_extension("eliding"));
        let mut new = File::create(&temporary)?;
        writeln!(new, "{} {} {} {}", range.start, range.end, sum.bytes(), sum.state())?;
        new.sync_all()?;
        fs::rename(&temporary, &path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        punch(file, range)
    }
}

/// Frees the blocks of `range`.
#[cfg(target_os = "linux")]
fn punch(file: &File, range: &Range<u64>) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, range.start, range.end - range.start)
    {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn punch(_: &File, _: &Range<u64>) -> std::io::Result<()> {
    Ok(())
}

/// Forgets what was dropped, after the log was cut to a length at which nothing was.
pub(super) fn forget(log: &Path) -> std::io::Result<()> {
    match fs::remove_file(Elision::path(log)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_when_head_and_tail_are_full() {
        let cap = 64 << 10;
        for (earlier, stored, slack, due) in [
            (None, 0, 0, None),
            (None, 65_536, 0, None),
            (None, 65_537, 0, Some(32_768..36_864)),
            (None, 65_537, 1, None),
            (None, 65_538, 1, Some(32_768..36_864)),
            (None, 1 << 40, 1 << 20, Some(32_768..(1 << 40) - 32_768)),
            (Some(32_768..40_960), 73_728, 0, None),
            (Some(32_768..40_960), 73_729, 0, Some(32_768..45_056)),
            (Some(32_768..40_960), 81_920, 8192, None),
            (Some(32_768..40_960), 81_921, 8192, Some(32_768..53_248)),
        ] {
            assert_eq!(Elision::due(cap, earlier.as_ref(), stored, slack), due, "{earlier:?} {stored} {slack}");
        }
        assert_eq!(Elision::due(0, None, 8192, 0), None, "a block of head and one of tail are kept at least");
    }
}
