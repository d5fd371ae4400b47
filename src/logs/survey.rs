//! Which logs lie on disk, whoever they belong to.

use std::fs;
use std::io;
use std::path::Path;

use shuntyard_domain::ids::AttemptId;

/// A log as it lies on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLog {
    pub attempt: AttemptId,
    pub bytes: u64,
}

/// Returns every log below `dir`, in no order; names that are none of ours are left out. Changes nothing.
///
/// # Errors
/// The first directory that cannot be read; one that is missing has no logs.
pub fn survey(dir: &Path) -> io::Result<Vec<StoredLog>> {
    let mut found = Vec::new();
    let shelves = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        shelves => shelves?,
    };
    for shelf in shelves {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(shelf.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let attempt = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
            // Gone since the directory was read: nobody's loss.
            if let (Some(attempt), Ok(data)) = (attempt, entry.metadata()) {
                found.push(StoredLog { attempt, bytes: data.len() });
            }
        }
    }
    Ok(found)
}
