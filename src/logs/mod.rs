//! Job output on disk: one file an attempt, appended by offset, read by range.
//!
//! Every function here blocks; the engine calls them from blocking threads.

mod writer;

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::output::Gap;

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
}

impl LogStore {
    /// Uses `dir`, which is created when it is missing.
    ///
    /// # Errors
    /// `LogError::Directory` when it cannot be created.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(|source| LogError::Directory { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned() })
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

    /// Opens the attempt's log for appending; what is stored already is summed first.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn writer(&self, attempt: AttemptId) -> Result<LogWriter, LogError> {
        LogWriter::open(attempt, &self.path(attempt))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuntyard_domain::ids::JobId;
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
