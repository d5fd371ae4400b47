//! The part of a large log that is not kept: its middle.
//!
//! Offsets count the whole output, also behind what was dropped: the log's file keeps its length and gets a hole. A file
//! beside it, `ATTEMPT.elided`, says from where to where, and the running sum, which the hole's bytes went into.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use shuntyard_domain::output::Cksum;

/// File systems free whole blocks only.
const BLOCK_BYTES: u64 = 4096;

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
    /// What has to go from a log of `stored` bytes of which `cap_bytes` may be kept; `None`: nothing now.
    ///
    /// Half of the cap is for the head, half for the tail. The tail is cut by a quarter at a time, so that a log
    /// that grows is not cut at every write.
    pub fn due(cap_bytes: u64, earlier: Option<&Range<u64>>, stored: u64) -> Option<Range<u64>> {
        let half = (cap_bytes / 2 / BLOCK_BYTES).max(1) * BLOCK_BYTES;
        let from = earlier.map_or(half, |range| range.start);
        let kept_from = earlier.map_or(from, |range| range.end);
        if stored <= from.saturating_add(half) || stored - kept_from <= half {
            return None;
        }
        let to = (stored - half * 3 / 4) / BLOCK_BYTES * BLOCK_BYTES;
        (to > kept_from).then_some(from..to)
    }

    fn path(log: &Path) -> PathBuf {
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
    pub fn drop_range(log: &Path, file: &File, range: &Range<u64>, sum: &Cksum) -> std::io::Result<()> {
        file.sync_data()?;
        let (path, temporary) = (Self::path(log), log.with_extension("eliding"));
        let mut new = File::create(&temporary)?;
        writeln!(new, "{} {} {} {}", range.start, range.end, sum.bytes(), sum.state())?;
        new.sync_all()?;
        fs::rename(&temporary, &path)?;
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(file, punch, range.start, range.end - range.start) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_when_head_and_tail_are_full() {
        let cap = 64 << 10;
        for (earlier, stored, due) in [
            (None, 0, None),
            (None, 65_536, None),
            (None, 65_537, Some(32_768..40_960)),
            (None, 1 << 40, Some(32_768..(1 << 40) - 24_576)),
            (Some(32_768..40_960), 65_536, None),
            (Some(32_768..40_960), 73_728, None),
            (Some(32_768..40_960), 73_729, Some(32_768..49_152)),
        ] {
            assert_eq!(Elision::due(cap, earlier.as_ref(), stored), due, "{earlier:?} {stored}");
        }
        assert_eq!(Elision::due(0, None, 8192), None, "a block of head and one of tail are kept at least");
    }
}
