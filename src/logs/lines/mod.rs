//! A log as lines: which there are, what each looks like, when it came, and where words stand in them.
//!
//! An index of marks is kept for the logs that were looked at last. It is made at the first look and grows with its log,
//! so that later looks read only what they show.

mod index;
mod page;
mod pen;
mod scanner;
mod screen;
mod search;
mod segment;
#[cfg(test)]
mod tests;
mod window;

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::api::LogRun;

use super::{LogError, LogStore};
use index::{LineIndex, Place};
pub use search::{Match, Matches, Words};

/// Logs whose index is kept; one is at most 2 MiB.
const KEPT_INDEXES: usize = 32;

/// A line to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts from 0.
    pub number: u64,
    /// Where it begins, in bytes of the whole output.
    pub offset: u64,
    /// When its first byte came; `None`: nobody noted it.
    pub at_ms: Option<i64>,
    pub runs: Vec<LogRun>,
    /// Bytes of a long line that are not shown.
    pub cut_bytes: u64,
    /// The line stands for this many bytes that are not kept.
    pub elided_bytes: u64,
    /// When the connection came back, before this line or within it.
    pub reattached_at_ms: Option<i64>,
}

/// Some lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// How many the log has now.
    pub total: u64,
    /// The one that stands for the log's middle.
    pub elided_line: Option<u64>,
    /// Bytes for which that one stands.
    pub elided_bytes: u64,
    pub lines: Vec<Line>,
}

/// Which lines are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Counts from 0.
    From(u64),
    Last,
}

/// The indexes of the logs that were looked at last, the newest look first.
#[derive(Clone, Default)]
pub(super) struct Indexes(Arc<Mutex<Vec<Kept>>>);

type Kept = (AttemptId, Arc<Mutex<LineIndex>>);

impl std::fmt::Debug for Indexes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Indexes")
    }
}

impl Indexes {
    fn of(&self, attempt: AttemptId) -> Arc<Mutex<LineIndex>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(of, _)| *of == attempt);
        let entry = match known {
            Some(at) => kept.remove(at),
            None => (attempt, Arc::new(Mutex::new(LineIndex::new()))),
        };
        let index = Arc::clone(&entry.1);
        kept.insert(0, entry);
        kept.truncate(KEPT_INDEXES);
        index
    }
}

/// Where lines lie.
struct Located {
    total: u64,
    elided_line: Option<u64>,
    elided: Option<Range<u64>>,
    places: Vec<Place>,
}

/// One log, open for looking at its lines.
struct Looked<'s> {
    store: &'s LogStore,
    attempt: AttemptId,
    path: PathBuf,
    file: File,
}

impl LogStore {
    /// `None` while there is no log.
    fn look(&self, attempt: AttemptId) -> Result<Option<Looked<'_>>, LogError> {
        let path = self.path(attempt);
        match File::open(&path) {
            Ok(file) => Ok(Some(Looked { store: self, attempt, path, file })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::File { what: "open", attempt, source }),
        }
    }
}

impl Looked<'_> {
    /// Looks at what has come, and lets `take` see the index.
    fn with_index<T>(&self, take: impl FnOnce(&LineIndex) -> std::io::Result<T>) -> Result<T, LogError> {
        let index = self.store.indexes.of(self.attempt);
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = index.refresh(&self.path, &self.file).and_then(|()| take(&index));
        taken.map_err(|source| self.fault("find the lines of", source))
    }

    /// Up to `count` lines, as far as `cost` of them is within `budget`, but one at least; and what else the index says.
    fn locate(
        &self,
        wanted: Wanted,
        count: u64,
        budget: u64,
        cost: impl Fn(&Place) -> u64,
    ) -> Result<Located, LogError> {
        self.with_index(|index| {
            let (total, elided_line, elided) = (index.lines(), index.elided_line(), index.elided().cloned());
            let mut located = Located { total, elided_line, elided, places: Vec::new() };
            let from = match wanted {
                Wanted::From(line) => line,
                Wanted::Last => total.saturating_sub(count),
            };
            let (places, mut spent) = (&mut located.places, 0_u64);
            if count > 0 {
                index.walk(&self.file, from, |place| {
                    spent = spent.saturating_add(cost(&place));
                    if places.is_empty() || spent <= budget {
                        places.push(place);
                    }
                    spent < budget && (places.len() as u64) < count
                })?;
            }
            Ok(located)
        })
    }

    /// Tells whether nothing was dropped of the log since its lines were located.
    fn is_unchanged(&self, located: &Located) -> Result<bool, LogError> {
        let now = index::elided(&self.path).map_err(|source| self.fault("read what is kept of", source))?;
        Ok(now == located.elided)
    }

    const fn fault(&self, what: &'static str, source: std::io::Error) -> LogError {
        LogError::File { what, attempt: self.attempt, source }
    }
}
