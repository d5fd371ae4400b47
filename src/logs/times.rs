//! When output came: marks in a file beside the log, `ATTEMPT.times`, and where the connection came back, in
//! `ATTEMPT.reattached`.
//!
//! They are told for comfort. Nothing waits for them, and what cannot be written or read is a time that is not told.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Offset and unix milliseconds, eight bytes each, little endian.
const MARK_BYTES: u64 = 16;
/// How close marks may be, in milliseconds, while the file is smaller than so many bytes.
const PACE: [(u64, i64); 3] = [(1 << 20, 100), (4 << 20, 1_000), (u64::MAX, 10_000)];
/// Marks that are read at once.
const WINDOW_MARKS: u64 = 512;
/// Enough for some thousand lost connections.
const REATTACHED_BYTES: u64 = 128 * 1024;

/// Where the marks lie.
pub(super) fn times_path(log: &Path) -> PathBuf {
    log.with_extension("times")
}

/// Where it is told that the connection came back.
pub(super) fn reattached_path(log: &Path) -> PathBuf {
    log.with_extension("reattached")
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

/// Tells whether a number from a file that may be damaged is a time from 1970 to 9999.
fn is_a_time(at_ms: &i64) -> bool {
    (0..253_402_300_800_000).contains(at_ms)
}

/// Writes marks beside the log that is written.
#[derive(Default)]
pub(super) struct TimesWriter {
    file: Option<File>,
    bytes: u64,
    marked_at_ms: Option<i64>,
}

impl TimesWriter {
    /// Notes that what lies from `offset` on came at `now_ms` or later, unless the last note is too young.
    pub fn note(&mut self, log: &Path, offset: u64, now_ms: i64) {
        let pace = PACE.iter().find(|(below, _)| self.bytes < *below).map_or(i64::MAX, |(_, pace)| *pace);
        // A clock that was set back begins anew.
        if self.marked_at_ms.is_some_and(|last| (last..last.saturating_add(pace)).contains(&now_ms)) {
            return;
        }
        self.marked_at_ms = Some(now_ms);
        if let Err(error) = self.write(log, offset, now_ms) {
            tracing::debug!(%error, "when output came could not be noted");
            self.file = None;
        }
    }

    fn write(&mut self, log: &Path, offset: u64, now_ms: i64) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let (file, bytes) = Self::open(log, offset)?;
                self.bytes = bytes;
                self.file.insert(file)
            }
        };
        let mut mark = [0; MARK_BYTES as usize];
        mark[..8].copy_from_slice(&offset.to_le_bytes());
        mark[8..].copy_from_slice(&now_ms.to_le_bytes());
        file.write_all(&mark)?;
        self.bytes += MARK_BYTES;
        Ok(())
    }

    /// Opens the file without a mark that was half written, or is of bytes that the log has lost.
    fn open(log: &Path, stored: u64) -> std::io::Result<(File, u64)> {
        let file = append(&times_path(log))?;
        let marks = Marks { file };
        let kept = marks.before(stored, marks.count()?)? * MARK_BYTES;
        if marks.file.metadata()?.len() != kept {
            marks.file.set_len(kept)?;
        }
        Ok((marks.file, kept))
    }
}

/// Notes where a log went on after its connection was lost.
pub(super) fn note_reattached(log: &Path, offset: u64, now_ms: i64) {
    let written = append(&reattached_path(log)).and_then(|mut file| {
        if file.metadata()?.len() < REATTACHED_BYTES { writeln!(file, "{offset} {now_ms}") } else { Ok(()) }
    });
    if let Err(error) = written {
        tracing::debug!(%error, "where output went on could not be noted");
    }
}

struct Marks {
    file: File,
}

impl Marks {
    fn count(&self) -> std::io::Result<u64> {
        Ok(self.file.metadata()?.len() / MARK_BYTES)
    }

    fn read(&self, from: u64, count: u64) -> std::io::Result<Vec<(u64, i64)>> {
        let mut bytes = vec![0; usize::try_from(count * MARK_BYTES).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, from * MARK_BYTES)?;
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
        Ok(bytes
            .chunks_exact(MARK_BYTES as usize)
            .map(|mark| (word(&mark[..8]), word(&mark[8..]).cast_signed()))
            .collect())
    }

    /// How many of `count` marks are of offsets before `offset`.
    fn before(&self, offset: u64, count: u64) -> std::io::Result<u64> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let is_before = self.read(middle, 1)?.first().is_some_and(|(at, _)| *at < offset);
            (low, high) = if is_before { (middle + 1, high) } else { (low, middle) };
        }
        Ok(low)
    }
}

/// Tells when bytes came.
#[derive(Default)]
pub(super) struct Times {
    marks: Option<(Marks, u64)>,
    window: Vec<(u64, i64)>,
    /// Offset of the first mark behind the window.
    until: u64,
}

impl Times {
    pub fn of(log: &Path) -> Self {
        let marks = File::open(times_path(log)).and_then(|file| {
            let marks = Marks { file };
            let count = marks.count()?;
            Ok((marks, count))
        });
        Self { marks: marks.ok(), ..Self::default() }
    }

    /// When the byte at `offset` came; `None`: that was not noted.
    pub fn at(&mut self, offset: u64) -> Option<i64> {
        let covered = self.window.first().is_some_and(|first| (first.0..self.until).contains(&offset));
        if !covered {
            let (marks, count) = self.marks.as_ref()?;
            let from = marks.before(offset.saturating_add(1), *count).ok()?.checked_sub(1)?;
            self.window = marks.read(from, (WINDOW_MARKS + 1).min(count - from)).ok()?;
            self.until = u64::MAX;
            if self.window.len() as u64 > WINDOW_MARKS {
                self.until = self.window.pop().map_or(0, |(at, _)| at);
            }
        }
        let known = self.window.partition_point(|(at, _)| *at <= offset);
        known.checked_sub(1).map(|n| self.window[n].1).filter(is_a_time)
    }
}

/// Where the connection came back.
pub(super) struct Reattached(Vec<(u64, i64)>);

impl Reattached {
    pub fn of(log: &Path) -> Self {
        let mut text = String::new();
        let read =
            File::open(reattached_path(log)).and_then(|file| file.take(REATTACHED_BYTES * 2).read_to_string(&mut text));
        let mark = |line: &str| {
            let (offset, at_ms) = line.split_once(' ')?;
            Some((offset.parse().ok()?, at_ms.parse().ok().filter(is_a_time)?))
        };
        Self(read.map(|_| text.lines().filter_map(mark).collect()).unwrap_or_default())
    }

    /// When it last came back before the byte at `start`, or one behind it up to `end`.
    pub fn within(&self, start: u64, end: u64) -> Option<i64> {
        self.0.iter().rev().find(|(offset, _)| (start..=end).contains(offset)).map(|(_, at_ms)| *at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_came_when_the_mark_before_them_says() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        assert_eq!(Times::of(&log).at(0), None, "nobody noted it");
        let mut writer = TimesWriter::default();
        for (offset, now_ms) in [(0, 5_000), (10, 5_099), (20, 5_100), (30, 5_250), (40, 4_000), (50, 4_050)] {
            writer.note(&log, offset, now_ms);
        }
        let mut times = Times::of(&log);
        for (offset, at_ms) in [(0, 5_000), (19, 5_000), (20, 5_100), (35, 5_250), (40, 4_000), (99, 4_000), (3, 5_000)]
        {
            assert_eq!(times.at(offset), Some(at_ms), "{offset}");
        }
        // As after a power cut: half a mark, and marks of bytes that are gone.
        append(&times_path(&log)).unwrap().write_all(b"half").unwrap();
        let mut writer = TimesWriter::default();
        writer.note(&log, 25, 9_000);
        assert_eq!([21, 25, 99].map(|offset| Times::of(&log).at(offset)), [Some(5_100), Some(9_000), Some(9_000)]);
    }

    #[test]
    fn of_many_marks_each_is_found_and_their_file_grows_ever_slower() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        let mut writer = TimesWriter::default();
        (0..100_000_u64).for_each(|n| writer.note(&log, n * 10, n as i64 * 100));
        let fine = (1 << 20) / MARK_BYTES;
        assert_eq!(writer.bytes / MARK_BYTES, fine + (100_000 - fine) / 10);
        let mut times = Times::of(&log);
        for offset in (0..fine * 10).step_by(7).chain([3, 400_000, 5]) {
            assert_eq!(times.at(offset), Some(offset as i64 / 10 * 100), "{offset}");
        }
    }

    #[test]
    fn where_the_connection_came_back_is_told_of_the_line_that_it_is_in() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        for (offset, now_ms) in [(10, 1), (10, 2), (25, 3)] {
            note_reattached(&log, offset, now_ms);
        }
        append(&reattached_path(&log)).unwrap().write_all(b"nonsense").unwrap();
        let reattached = Reattached::of(&log);
        for (start, end, at_ms) in [(0, 9, None), (10, 19, Some(2)), (20, 30, Some(3)), (31, 40, None)] {
            assert_eq!(reattached.within(start, end), at_ms, "{start}..{end}");
        }
        assert_eq!(Reattached::of(&dir.path().join("b.log")).within(0, 99), None);
    }
}
