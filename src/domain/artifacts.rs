//! Files that a job leaves: which of its work directory are kept, by patterns, and what is known of those that were.
//!
//! A pattern names files, or directories with all that is in them, relative to the work directory. `*` and `?` stand for
//! characters of one name (also for a leading dot), `[a-z]` and `[!a-z]` for one of a set, `**` for any number of
//! directories.

mod pattern;
mod selection;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub use pattern::{BadPattern, Pattern};
pub use selection::{MAX_NAMES_BYTES, Selection, roots, select};

/// Patterns of one job.
pub const MAX_PATTERNS: usize = 50;
/// Files of one job that are kept.
pub const MAX_FILES: usize = 1000;

/// One file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Relative to the job's work directory.
    pub path: String,
    pub size: u64,
    pub digest: Digest,
    pub executable: bool,
}

/// What was fetched from an ended attempt; committed with the job's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub outputs: BTreeMap<String, String>,
    /// Why there are none although the job has written some.
    pub outputs_fault: Option<String>,
    /// In the order of paths.
    pub artifacts: Vec<Artifact>,
    /// What of the files was not kept, and why.
    pub artifacts_fault: Option<String>,
}

impl Collected {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
