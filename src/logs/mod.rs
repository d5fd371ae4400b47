//! Job output on disk: one file an attempt, appended by offset, read by range.
//!
//! Every function here blocks; the engine calls them from blocking threads.

mod elision;
mod lines;
mod survey;
mod times;
mod writer;

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::output::Gap;

use crate::clock::Clock;
use elision::Elision;
use lines::Indexes;
pub use lines::{Line, Lines, Match, Matches, Wanted, Words};
pub use survey::{StoredLog, survey};
use times::{reattached_path, times_path};
pub use writer::LogWriter;

/// The file system refused, or the bytes do not fit behind what is stored.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot create the log directory {}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("cannot {what} the log of attempt {attempt}")]
    File { what: &'static str, attempt: AttemptId, source: std::io::Error },
    #[error("the log of attempt {attempt}: {gap}")]
    Gap { attempt: AttemptId, gap: Gap },
}

/// The directory of all logs.
#[derive(Clone, Debug)]
pub struct LogStore {
    dir: PathBuf,
    cap_bytes: u64,
    clock: Clock,
    indexes: Indexes,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// Where the bytes begin: behind the offset that was asked for when what is between was not kept.
    pub offset: u64,
    pub bytes: Vec<u8>,
}

impl LogStore {
    /// Uses `dir`, which is created when it is missing.
    ///
    /// # Errors
    /// `LogError::Directory` when it cannot be created.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(|source| LogError::Directory { path: dir.to_owned(), source })?;
        let cap_bytes = JobSpec::default_output_cap_bytes();
        Ok(Self { dir: dir.to_owned(), cap_bytes, clock: Clock::system(), indexes: Indexes::default() })
    }

    /// The same logs, of which `cap_bytes` are kept each.
    #[must_use]
    pub fn capped(self, cap_bytes: u64) -> Self {
        Self { cap_bytes, ..self }
    }

    /// The same logs, whose output comes when `clock` says.
    #[must_use]
    pub fn timed(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Bytes that are kept of each log.
    #[must_use]
    pub const fn cap_bytes(&self) -> u64 {
        self.cap_bytes
    }

    /// Where an attempt's log lies: spread over 256 directories by the random end of the job's id.
    fn path(&self, attempt: AttemptId) -> PathBuf {
        let name = attempt.job.0.simple().to_string();
        self.dir.join(&name[name.len() - 2..]).join(format!("{attempt}.log"))
    }

    /// Bytes stored for the attempt; 0 when there is no log yet.
    #[must_use]
    pub fn stored_bytes(&self, attempt: AttemptId) -> u64 {
        fs::metadata(self.path(attempt)).map_or(0, |m| m.len())
    }

    /// Removes the attempt's log and what is kept beside it; one that is not there is no error.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn remove(&self, attempt: AttemptId) -> Result<(), LogError> {
        let log = self.path(attempt);
        for path in [Elision::path(&log), times_path(&log), reattached_path(&log), log] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(LogError::File { what: "remove", attempt, source });
                }
                Ok(()) | Err(_) => (),
            }
        }
        Ok(())
    }

    /// Opens the attempt's log for appending; what is stored already is summed first.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn writer(&self, attempt: AttemptId) -> Result<LogWriter, LogError> {
        LogWriter::open(attempt, self.path(attempt), self.cap_bytes, self.clock.clone())
    }

    /// Returns up to `max_bytes` of output from `offset` on.
    ///
    /// `offset` counts bytes from the attempt's first. An offset past the end is not an error: the
    /// answer is empty, and so it is while there is no log.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn read(&self, attempt: AttemptId, offset: u64, max_bytes: usize) -> Result<Vec<u8>, LogError> {
        let at = |what| move |source| LogError::File { what, attempt, source };
        let mut file = match File::open(self.path(attempt)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at("open")(error)),
        };
        file.seek(SeekFrom::Start(offset)).map_err(at("seek in"))?;
        let mut bytes = Vec::new();
        file.take(max_bytes as u64).read_to_end(&mut bytes).map_err(at("read"))?;
        Ok(bytes)
    }

    /// What is not kept of the attempt's output.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn elided(&self, attempt: AttemptId) -> Result<Option<Range<u64>>, LogError> {
        let elision = Elision::read(&self.path(attempt));
        let elision = elision.map_err(|source| LogError::File { what: "read what is kept of", attempt, source })?;
        Ok(elision.map(|elision| elision.from..elision.to))
    }

    /// As `read`, but goes on behind what is not kept.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn piece(&self, attempt: AttemptId, offset: u64, max_bytes: usize) -> Result<LogPiece, LogError> {
        let mut piece = LogPiece { offset, bytes: self.read(attempt, offset, max_bytes)? };
        // Looked at after reading: a hole is announced before it is made.
        while let Some(elided) = self.elided(attempt)? {
            if !elided.contains(&piece.offset) {
                let before =
                    elided.start.checked_sub(piece.offset).map_or(usize::MAX, |n| n.try_into().unwrap_or(usize::MAX));
                piece.bytes.truncate(before);
                break;
            }
            piece = LogPiece { offset: elided.end, bytes: self.read(attempt, elided.end, max_bytes)? };
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuntyard_domain::ids::JobId;
    use shuntyard_domain::outcome::LogSummary;
    use uuid::Uuid;

    fn attempt() -> AttemptId {
        AttemptId { job: JobId(Uuid::from_u128(0xabcd)), attempt: 1 }
    }

    #[test]
    fn a_log_is_appended_by_offset_and_read_by_range() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(&dir.path().join("logs")).unwrap();
        assert_eq!(logs.read(attempt(), 0, 10).unwrap(), b"");
        let mut writer = logs.writer(attempt()).unwrap();
        assert_eq!(writer.append(0, b"hello ").unwrap(), 6);
        assert_eq!(writer.append(3, b"lo world\n").unwrap(), 12, "three bytes were known");
        assert!(matches!(writer.append(13, b"x"), Err(LogError::Gap { .. })));
        assert_eq!(logs.read(attempt(), 6, 5).unwrap(), b"world");
        assert_eq!(logs.read(attempt(), 99, 5).unwrap(), b"");
        assert_eq!(logs.stored_bytes(attempt()), 12);
    }

    #[test]
    fn what_came_behind_the_end_is_taken_away_and_the_sum_is_that_of_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(&dir.path().join("logs")).unwrap();
        let mut writer = logs.writer(attempt()).unwrap();
        writer.append(0, b"hello world\n").unwrap();
        let whole = writer.summary();
        writer.append(12, b"noise").unwrap();
        writer.cut(99).unwrap();
        assert_eq!(writer.stored_bytes(), 17);
        writer.cut(12).unwrap();
        assert_eq!((writer.summary(), logs.stored_bytes(attempt())), (whole, 12));
        writer.append(12, b"!").unwrap();
        assert_eq!(logs.read(attempt(), 6, 99).unwrap(), b"world\n!");
    }

    /// Writes `whole` in pieces, each third by a writer of its own as after a restart.
    fn write_in_pieces(logs: &LogStore, whole: &[u8]) -> LogSummary {
        let mut writer = logs.writer(attempt()).unwrap();
        for (n, piece) in whole.chunks(3_000_000).enumerate() {
            if n % 3 == 0 {
                writer = logs.writer(attempt()).unwrap();
            }
            writer.append(n as u64 * 3_000_000, piece).unwrap();
        }
        writer.seal().unwrap();
        writer.summary()
    }

    fn on_disk(logs: &LogStore) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(logs.path(attempt())).unwrap().blocks() * 512
    }

    fn numbered(millions: u32) -> Vec<u8> {
        (0..millions * 250_000).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn of_a_large_log_head_and_tail_are_kept_and_the_sum_is_of_all() {
        let dir = tempfile::tempdir().unwrap();
        let cap = 256 << 10;
        let (logs, whole) = (LogStore::open(dir.path()).unwrap().capped(cap), numbered(20));
        let mut sum = shuntyard_domain::output::Cksum::default();
        sum.update(&whole);
        let summary = write_in_pieces(&logs, &whole);
        let elided = logs.elided(attempt()).unwrap().unwrap();
        assert_eq!((summary.bytes, summary.cksum, summary.truncated), (20_000_000, sum.value(), false));
        assert_eq!((elided.start, summary.elided_bytes), (cap / 2, elided.end - elided.start));
        let kept = summary.bytes - summary.elided_bytes;
        assert!((cap - 4096..=cap).contains(&kept), "{kept} bytes are kept");
        assert!(on_disk(&logs) <= cap + 8192, "{} bytes on disk", on_disk(&logs));
        let (from, to) = (elided.start as usize, elided.end as usize);
        for (offset, at, bytes) in [
            (0, 0, &whole[..from]),
            (elided.start - 5, elided.start - 5, &whole[from - 5..from]),
            (elided.start, elided.end, &whole[to..]),
            (elided.end - 1, elided.end, &whole[to..]),
            (19_999_999, 19_999_999, &whole[19_999_999..]),
            (20_000_000, 20_000_000, &[][..]),
        ] {
            assert!(logs.piece(attempt(), offset, 1 << 20).unwrap() == LogPiece { offset: at, bytes: bytes.to_vec() });
        }
    }

    #[test]
    fn while_it_grows_a_log_has_little_more_than_its_cap_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, cap) = (LogStore::open(dir.path()).unwrap().capped(1 << 20), 1_u64 << 20);
        let mut writer = logs.writer(attempt()).unwrap();
        for n in 0..60_u64 {
            writer.append(n << 20, &vec![1; 1 << 20]).unwrap();
            assert!(on_disk(&logs) <= cap + elision::SLACK_BYTES + (1 << 20), "{} after {n} MiB", on_disk(&logs));
        }
    }

    #[test]
    fn a_log_that_lost_its_end_or_its_note_begins_anew_where_nothing_was_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap().capped(128 << 10);
        let whole = numbered(20);
        let complete = write_in_pieces(&logs, &whole);
        let note = logs.path(attempt()).with_extension("elided");
        for (cut_to, note_says, goes_on_at) in [(1 << 20, None, 64 << 10), (20_000_000, Some("nonsense"), 0)] {
            // As after a power cut.
            File::options().write(true).open(logs.path(attempt())).unwrap().set_len(cut_to).unwrap();
            if let Some(says) = note_says {
                fs::write(&note, says).unwrap();
            }
            let mut writer = logs.writer(attempt()).unwrap();
            assert_eq!((writer.stored_bytes(), logs.stored_bytes(attempt())), (goes_on_at, goes_on_at));
            writer.append(goes_on_at, &whole[goes_on_at as usize..]).unwrap();
            writer.seal().unwrap();
            assert_eq!(writer.summary(), complete, "{cut_to} {note_says:?}");
        }
    }

    #[test]
    fn a_reopened_log_goes_on_with_the_same_sum() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap();
        let mut whole = logs.writer(AttemptId { attempt: 2, ..attempt() }).unwrap();
        whole.append(0, b"one two\n").unwrap();
        logs.writer(attempt()).unwrap().append(0, b"one ").unwrap();
        let mut second = logs.writer(attempt()).unwrap();
        second.append(4, b"two\n").unwrap();
        assert_eq!(second.summary(), whole.summary());
    }
}
