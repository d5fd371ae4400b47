//! The list of a tree's entries, and the one text that stands for it.
//!
//! ```text
//! shuntyard workspace 1
//! d<TAB>PATH                     a directory
//! f<TAB>SHA256<TAB>SIZE<TAB>PATH a file (mode 644)
//! x<TAB>SHA256<TAB>SIZE<TAB>PATH a file that can be run (mode 755)
//! l<TAB>PATH<TAB>TARGET          a symbolic link that stays in the tree
//! ```
//!
//! Lines are in the order of the paths' bytes and end with a newline. Every directory above an entry is listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::links::leaves_the_tree;
use crate::digest::Digest;

/// The first line.
pub const HEADER: &str = "shuntyard workspace 1";
/// Longer paths do not fit behind a runner's base directory on every system.
pub const MAX_PATH_BYTES: usize = 2048;
const MAX_NAME_BYTES: usize = 255;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Directory,
    File { digest: Digest, size: u64, executable: bool },
    Link { target: String },
}

/// How large a workspace may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_entries: u64,
    /// Of all files together.
    pub max_bytes: u64,
}

/// Why a text is not a manifest, or not one that is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    #[error("line {line} is not an entry of a workspace: {found}")]
    Line { line: usize, found: String },
    #[error("`{path}` cannot be the path of an entry: {why}")]
    Path { path: String, why: &'static str },
    #[error("`{path}` stands below `{parent}`, which is not listed as a directory before it")]
    Parent { path: String, parent: String },
    #[error("`{path}` is not behind the entry before it in the order of bytes")]
    Order { path: String },
    #[error("the symbolic link `{path}` leaves the tree: it points to `{target}`")]
    Link { path: String, target: String },
    #[error("the workspace has more than {allowed} entries")]
    Entries { allowed: u64 },
    #[error("the workspace's files have {found} bytes; {allowed} are allowed")]
    Bytes { found: u64, allowed: u64 },
}

impl BadManifest {
    /// The entry that is at fault, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path { path, .. } | Self::Parent { path, .. } | Self::Order { path } | Self::Link { path, .. } => {
                Some(path)
            }
            Self::Line { .. } | Self::Entries { .. } | Self::Bytes { .. } => None,
        }
    }

    /// What would be taken in its place.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self {
            Self::Line { .. } => "lines of d, f, x or l, as docs/PROTOCOL.md says".into(),
            Self::Path { .. } => "a relative path without `.`, `..`, empty names and control characters".into(),
            Self::Parent { .. } => "a directory above every entry".into(),
            Self::Order { .. } => "each path once, in the order of bytes".into(),
            Self::Link { .. } => "symbolic links that stay in the tree".into(),
            Self::Entries { allowed } => format!("up to {allowed} entries"),
            Self::Bytes { allowed, .. } => format!("up to {allowed} bytes"),
        }
    }

    /// True when a smaller workspace of the same kind would be taken.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::Entries { .. } | Self::Bytes { .. })
    }
}

/// A tree that was checked: nothing in it leads out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<String, Entry>,
}

impl Manifest {
    /// Checks entries and adds the directories above them.
    ///
    /// # Errors
    /// `BadManifest` for the first entry that cannot be taken.
    pub fn new(listed: impl IntoIterator<Item = (String, Entry)>) -> Result<Self, BadManifest> {
        let mut entries = BTreeMap::new();
        for (path, entry) in listed {
            check_path(&path)?;
            for (at, _) in path.match_indices('/') {
                entries.entry(path[..at].to_owned()).or_insert(Entry::Directory);
            }
            if entries.insert(path.clone(), entry.clone()).is_some_and(|old| old != entry) {
                return Err(BadManifest::Order { path });
            }
        }
        Self { entries }.checked()
    }

    /// Reads a text; only the text that `text` writes is taken.
    ///
    /// # Errors
    /// `BadManifest` for the first line that cannot be taken, or for the size.
    pub fn parse(text: &str, limits: Limits) -> Result<Self, BadManifest> {
        let bad = |line, found: &str| BadManifest::Line { line, found: found.chars().take(200).collect() };
        let mut lines = text.split_inclusive('\n').enumerate().map(|(n, line)| (n + 1, line));
        match lines.next() {
            Some((_, line)) if line.strip_suffix('\n') == Some(HEADER) => {}
            first => return Err(bad(1, first.map_or("nothing", |(_, line)| line.trim_end()))),
        }
        let mut entries = BTreeMap::new();
        let mut bytes = 0_u64;
        for (number, line) in lines {
            let line = line.strip_suffix('\n').ok_or_else(|| bad(number, "a line that is cut off"))?;
            let (path, entry) = parse_line(line).ok_or_else(|| bad(number, line))?;
            check_path(path)?;
            if let Entry::File { size, .. } = entry {
                bytes = bytes.saturating_add(size);
            }
            if bytes > limits.max_bytes {
                return Err(BadManifest::Bytes { found: bytes, allowed: limits.max_bytes });
            }
            if entries.last_key_value().is_some_and(|(last, _): (&String, &Entry)| last.as_str() >= path) {
                return Err(BadManifest::Order { path: path.into() });
            }
            entries.insert(path.to_owned(), entry);
            if entries.len() as u64 > limits.max_entries {
                return Err(BadManifest::Entries { allowed: limits.max_entries });
            }
        }
        Self { entries }.checked()
    }

    fn checked(self) -> Result<Self, BadManifest> {
        for (path, entry) in &self.entries {
            if let Some((parent, _)) = path.rsplit_once('/')
                && self.entries.get(parent) != Some(&Entry::Directory)
            {
                return Err(BadManifest::Parent { path: path.clone(), parent: parent.into() });
            }
            if let Entry::Link { target } = entry
                && leaves_the_tree(&self.entries, path, target)
            {
                return Err(BadManifest::Link { path: path.clone(), target: target.clone() });
            }
        }
        Ok(self)
    }

    /// The text whose SHA-256 names the workspace.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (path, entry) in &self.entries {
            let _ = match entry {
                Entry::Directory => writeln!(text, "d\t{path}"),
                Entry::File { digest, size, executable } => {
                    writeln!(text, "{}\t{digest}\t{size}\t{path}", if *executable { 'x' } else { 'f' })
                }
                Entry::Link { target } => writeln!(text, "l\t{path}\t{target}"),
            };
        }
        text
    }

    /// Every entry, a directory before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|(_, size)| size).sum()
    }

    /// Contents and lengths of the files, in the order of paths; equal files come more than once.
    pub fn files(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::File { digest, size, .. } => Some((*digest, *size)),
            Entry::Directory | Entry::Link { .. } => None,
        })
    }
}

fn parse_line(line: &str) -> Option<(&str, Entry)> {
    let fields: Vec<&str> = line.split('\t').collect();
    match fields[..] {
        ["d", path] => Some((path, Entry::Directory)),
        ["l", path, target] => Some((path, Entry::Link { target: target.into() })),
        [kind @ ("f" | "x"), digest, size, path] => {
            let plain = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
            let size = size.parse().ok().filter(|_| plain)?;
            Some((path, Entry::File { digest: digest.parse().ok()?, size, executable: kind == "x" }))
        }
        _ => None,
    }
}

fn check_path(path: &str) -> Result<(), BadManifest> {
    match path_fault(path) {
        Some(why) => Err(BadManifest::Path { path: path.chars().take(200).collect(), why }),
        None => Ok(()),
    }
}

/// Says why a path names nothing inside a tree; `None` when it may.
#[must_use]
pub fn path_fault(path: &str) -> Option<&'static str> {
    if path.len() > MAX_PATH_BYTES || path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
        return Some("it is too long");
    }
    if path.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    match path.split('/').find(|name| matches!(*name, "" | "." | "..")) {
        Some("..") => Some("it leads upwards"),
        Some(_) => Some("it has an empty name or `.`"),
        None => None,
    }
}

#[cfg(test)]
mod tests;
