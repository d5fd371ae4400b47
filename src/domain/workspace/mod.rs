//! Workspaces: the tree of files that a job starts in, named by what it holds.
//!
//! A *manifest* lists every entry of a tree. Its text has one form only, so that equal trees have equal texts, and the
//! SHA-256 of the text names the workspace. Times, owners and other bits of modes are no part of it.

mod delta;
mod links;
mod manifest;

pub use delta::Delta;
pub use manifest::{BadManifest, Entry, HEADER, Limits, MAX_PATH_BYTES, Manifest, path_fault};
