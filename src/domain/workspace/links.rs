//! Where a symbolic link leads, found in the list alone.

use std::collections::BTreeMap;

use super::Entry;

/// As many links as Linux follows in one path.
const MAX_FOLLOWED: u32 = 40;
const MAX_TARGET_BYTES: usize = 1024;

/// Tells whether the link at `path` points out of the tree, or on a way that cannot be told.
///
/// Links on the way are followed as the kernel does: `a/link/../..` may lead out although its letters do not. What is
/// not listed counts as a directory: a job may make it.
pub(super) fn leaves_the_tree(entries: &BTreeMap<String, Entry>, path: &str, target: &str) -> bool {
    if target.is_empty() || target.len() > MAX_TARGET_BYTES || target.chars().any(char::is_control) {
        return true;
    }
    let mut at: Vec<String> = path.split('/').map(str::to_owned).collect();
    at.pop();
    let mut left: Vec<String> = names(target);
    let mut followed = 0;
    if target.starts_with('/') {
        return true;
    }
    while let Some(name) = left.pop() {
        match name.as_str() {
            "" | "." => {}
            ".." => {
                if at.pop().is_none() {
                    return true;
                }
            }
            _ => {
                at.push(name);
                if let Some(Entry::Link { target }) = entries.get(&at.join("/")) {
                    followed += 1;
                    if followed > MAX_FOLLOWED || target.starts_with('/') {
                        return true;
                    }
                    at.pop();
                    left.extend(names(target));
                }
            }
        }
    }
    false
}

/// The names of a path, the first one last.
fn names(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}
