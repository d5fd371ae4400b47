//! From the names that a host lists to the files that are asked of it. The host is not trusted: every name is checked.

use super::{MAX_FILES, Pattern};
use crate::workspace::{MAX_PATH_BYTES, path_fault};

/// Bytes of names that a host may list.
pub const MAX_NAMES_BYTES: usize = 8 << 20;
/// What one sentence quotes.
const MAX_QUOTED: usize = 5;

/// The files to fetch, and why others are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// At most `MAX_FILES`, in the order of paths, each once.
    pub paths: Vec<String>,
    /// Sentences.
    pub faults: Vec<String>,
}

/// The paths below which a host has to look, none below another; `.` is the work directory itself.
#[must_use]
pub fn roots(patterns: &[Pattern]) -> Vec<String> {
    let mut all: Vec<String> = patterns.iter().map(Pattern::root).collect();
    all.sort_unstable();
    all.dedup();
    if all.first().is_some_and(String::is_empty) {
        return vec![".".into()];
    }
    let below = |root: &str, other: &str| root.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    all.iter().filter(|root| !all.iter().any(|other| below(root, other))).cloned().collect()
}

/// Chooses among the names that a host has listed: `./PATH`, each with a NUL behind it.
#[must_use]
pub fn select(patterns: &[Pattern], listed: &[u8]) -> Selection {
    let mut selection = Selection::default();
    let mut matched = vec![false; patterns.len()];
    let mut odd = 0_usize;
    // What stands behind the last NUL was cut off.
    let whole = listed.iter().rposition(|byte| *byte == 0).map_or(&[][..], |end| &listed[..end]);
    let names = whole.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    for name in names {
        let name = name.strip_prefix(b"./").unwrap_or(name);
        // Before it is matched: what that costs grows with the name.
        if name.len() > MAX_PATH_BYTES {
            odd += 1;
            continue;
        }
        let Ok(path) = std::str::from_utf8(name) else {
            odd += usize::from(matches_any(patterns, &mut matched, &String::from_utf8_lossy(name)));
            continue;
        };
        if !matches_any(patterns, &mut matched, path) {
            continue;
        }
        if path_fault(path).is_some() {
            odd += 1;
        } else {
            selection.paths.push(path.to_owned());
        }
    }
    selection.paths.sort_unstable();
    selection.paths.dedup();
    let nothing: Vec<&str> =
        patterns.iter().zip(&matched).filter(|(_, found)| !**found).map(|(p, _)| p.as_str()).collect();
    if !nothing.is_empty() {
        selection.faults.push(format!("no file matches {}", quoted(&nothing)));
    }
    if odd > 0 {
        selection.faults.push(format!(
            "{odd} file(s) have names that are not kept: only UTF-8 without control characters, of up to 2048 bytes"
        ));
    }
    if selection.paths.len() > MAX_FILES {
        selection.faults.push(format!("{} files match; the first {MAX_FILES} are kept", selection.paths.len()));
        selection.paths.truncate(MAX_FILES);
    }
    if listed.len() >= MAX_NAMES_BYTES {
        selection.faults.push("there are more files than were looked at; narrower patterns would help".into());
    }
    selection
}

fn matches_any(patterns: &[Pattern], matched: &mut [bool], path: &str) -> bool {
    let mut any = false;
    for (pattern, found) in patterns.iter().zip(matched) {
        // Which patterns have found something is told: all are asked until each has.
        if (!any || !*found) && pattern.matches(path) {
            (*found, any) = (true, true);
        }
    }
    any
}

/// The first of some names, in backticks.
pub(super) fn quoted(names: &[&str]) -> String {
    let mut text = names.iter().take(MAX_QUOTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_QUOTED {
        text.push_str(&format!(" and {} more", names.len() - MAX_QUOTED));
    }
    text
}
