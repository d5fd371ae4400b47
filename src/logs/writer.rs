//! Appending to one attempt's log.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::LogSummary;
use shuntyard_domain::output::{Cksum, new_part};

use super::LogError;
use super::elision::{Elision, SLACK_BYTES, forget};
use super::times::{TimesWriter, note_reattached};
use crate::clock::Clock;

/// The one writer of an attempt's log; it knows how much is stored and its sum.
pub struct LogWriter {
    attempt: AttemptId,
    path: PathBuf,
    file: File,
    sum: Cksum,
    cap_bytes: u64,
    elided: Option<Range<u64>>,
    clock: Clock,
    times: TimesWriter,
}

impl LogWriter {
    pub(super) fn open(attempt: AttemptId, path: PathBuf, cap_bytes: u64, clock: Clock) -> Result<Self, LogError> {
        let at = |what| move |source| LogError::File { what, attempt, source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at("create the directory of"))?;
        }
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(at("open"))?;
        let known = known_elision(&path, &file).map_err(at("read what is kept of"))?;
        let mut sum = Cksum::default();
        if let Some(known) = &known {
            sum = Cksum::resume(known.summed, known.state);
            file.seek(SeekFrom::Start(known.summed)).map_err(at("seek in"))?;
        }
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            match file.read(&mut buffer).map_err(at("read"))? {
                0 => break,
                n => sum.update(&buffer[..n]),
            }
        }
        let elided = known.map(|known| known.from..known.to);
        Ok(Self { attempt, path, file, sum, cap_bytes, elided, clock, times: TimesWriter::default() })
    }

    /// Bytes stored.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        self.sum.bytes()
    }

    /// Appends what of `bytes`, which begin at `offset`, is not stored yet; answers the new length.
    ///
    /// # Errors
    /// `LogError::Gap` when bytes between are missing, `LogError::File` when the disk refuses. After
    /// an error the log holds what it held, or more of the same bytes: open a new writer.
    pub fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<u64, LogError> {
        let attempt = self.attempt;
        let new = new_part(self.stored_bytes(), offset, bytes).map_err(|gap| LogError::Gap { attempt, gap })?;
        if !new.is_empty() {
            self.times.note(&self.path, self.sum.bytes(), self.clock.now_ms());
        }
        self.file.write_all(new).map_err(|source| LogError::File { what: "append to", attempt, source })?;
        self.sum.update(new);
        self.shorten(SLACK_BYTES)?;
        Ok(self.stored_bytes())
    }

    /// Notes that the connection had been lost, and that what comes next goes on where the log is.
    pub fn reattached(&mut self) {
        note_reattached(&self.path, self.stored_bytes(), self.clock.now_ms());
    }

    fn shorten(&mut self, slack: u64) -> Result<(), LogError> {
        if let Some(range) = Elision::due(self.cap_bytes, self.elided.as_ref(), self.stored_bytes(), slack) {
            let attempt = self.attempt;
            Elision::drop_range(&self.path, &self.file, &range, &self.sum).map_err(|source| LogError::File {
                what: "shorten",
                attempt,
                source,
            })?;
            self.elided = Some(range);
        }
        Ok(())
    }

    /// Takes away what is stored behind `length`: a process that outlives its job may write on behind the job's end.
    ///
    /// A log whose elision has seen more than that stays as it is.
    ///
    /// # Errors
    /// `LogError::File` when the disk refuses.
    pub fn cut(&mut self, length: u64) -> Result<(), LogError> {
        let (attempt, path) = (self.attempt, self.path.clone());
        let at = |what| move |source| LogError::File { what, attempt, source };
        let summed = Elision::read(&path).map_err(at("read what is kept of"))?.map_or(0, |elision| elision.summed);
        if self.stored_bytes() > length && summed <= length {
            self.file.set_len(length).map_err(at("cut"))?;
            *self = Self::open(attempt, path, self.cap_bytes, self.clock.clone())?;
        }
        Ok(())
    }

    /// Cuts the log to its cap, and makes what is stored survive a power cut.
    ///
    /// # Errors
    /// `LogError::File` when the disk refuses.
    pub fn seal(&mut self) -> Result<(), LogError> {
        self.shorten(0)?;
        self.file.sync_data().map_err(|source| LogError::File { what: "sync", attempt: self.attempt, source })
    }

    /// Length and sum of what is stored.
    #[must_use]
    pub fn summary(&self) -> LogSummary {
        LogSummary {
            bytes: self.stored_bytes(),
            cksum: self.sum.value(),
            truncated: false,
            elided_bytes: self.elided.as_ref().map_or(0, |range| range.end - range.start),
        }
    }
}

/// What is known to be missing from the log. A log that has lost its end in a power cut begins anew at its head, one of
/// which it cannot be told at its first byte: the spool still has the rest.
fn known_elision(path: &Path, file: &File) -> std::io::Result<Option<Elision>> {
    let head = match Elision::read(path) {
        Ok(None) => return Ok(None),
        Ok(Some(known)) if file.metadata()?.len() >= known.summed => return Ok(Some(known)),
        Ok(Some(known)) => known.from,
        Err(error) if error.kind() == ErrorKind::InvalidData => 0,
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > head {
        file.set_len(head)?;
    }
    forget(path)?;
    Ok(None)
}
