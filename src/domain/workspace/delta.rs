//! What is to be done to one tree so that it becomes another.

use super::{Entry, Manifest};

/// From a tree that a runner has to the one that it needs: first remove, then add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Paths to remove with all that is below them. What is replaced is removed, too: its file may be shared with
    /// the old tree.
    pub remove: Vec<String>,
    /// Paths to add.
    pub add: Vec<String>,
    /// Bytes of the files to add.
    pub add_bytes: u64,
}

impl Delta {
    /// Compares the two lists.
    #[must_use]
    pub fn between(old: &Manifest, new: &Manifest) -> Self {
        let mut delta = Self::default();
        for (path, entry) in old.entries() {
            let gone_above = delta
                .remove
                .last()
                .is_some_and(|last| path.strip_prefix(last.as_str()).is_some_and(|rest| rest.starts_with('/')));
            if new.get(path) != Some(entry) && !gone_above {
                delta.remove.push(path.to_owned());
            }
        }
        for (path, entry) in new.entries().filter(|(path, entry)| old.get(path) != Some(*entry)) {
            delta.add.push(path.to_owned());
            if let Entry::File { size, .. } = entry {
                delta.add_bytes += size;
            }
        }
        delta
    }
}
