//! Single files of a workspace, for the dispatcher's own eyes.

use std::fs;

use shuntyard_domain::digest::Digest;
use shuntyard_domain::workspace::Entry;

use super::{BlobError, BlobStore, digest_of};

/// A regular file of a workspace, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

impl BlobStore {
    /// The first of these paths that is a regular file of the workspace; `None` when none is.
    ///
    /// # Errors
    /// `NoWorkspace`; `FileTooLarge`; `Incomplete` and `Damaged` when its contents are not there as they were.
    pub fn first_file(
        &self,
        workspace: Digest,
        paths: &[&str],
        max_bytes: u64,
    ) -> Result<Option<FoundFile>, BlobError> {
        let held = self.find(workspace)?;
        let file = |path: &&str| match held.manifest.get(path) {
            Some(Entry::File { digest, size, .. }) => Some(((*path).to_owned(), *digest, *size)),
            _ => None,
        };
        let Some((path, digest, size)) = paths.iter().find_map(file) else { return Ok(None) };
        if size > max_bytes {
            return Err(BlobError::FileTooLarge { path, found: size, allowed: max_bytes });
        }
        let bytes = fs::read(self.file_path(digest)).map_err(|_| BlobError::Incomplete { workspace, digest })?;
        if digest_of(&bytes) != digest {
            return Err(BlobError::Damaged(digest));
        }
        Ok(Some(FoundFile { path, bytes }))
    }
}
