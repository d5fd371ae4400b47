//! Cases that are data, one a file.

use std::path::{Path, PathBuf};

/// Every file `*.EXTENSION` of a folder of fixtures, by name; there must be `at_least` so many.
pub fn fixture_files(folder: &str, extension: &str, at_least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|its| its == extension));
    files.sort();
    assert!(files.len() >= at_least, "the fixtures are missing: {files:?}");
    files
}
