//! What stays: contents of artifacts, workspaces that are in use, then those that were used last, as far as limits and disk allow.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use shuntyard_domain::digest::Digest;

use super::{BlobError, BlobStore};

/// A workspace that was asked for a moment ago may be about to get its job.
const YOUNG: Duration = Duration::from_secs(600);

/// Sets a file's time of change to now.
pub(super) fn now() -> Timestamps {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    Timestamps { last_access: at(UTIME_OMIT), last_modification: at(UTIME_NOW) }
}

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub workspaces: usize,
    pub files: usize,
    pub bytes: u64,
}

struct Stored {
    digest: Digest,
    used_at: SystemTime,
}

impl BlobStore {
    /// Called before the database is read for a sweep: what is pinned from now on, or was let go of since, stays.
    pub fn begin_sweep(&self) {
        self.0.pins.forget_released();
    }

    /// Removes workspaces that are neither `in_use` nor young, the longest unused first, until there is room for
    /// `wanted_bytes`; and files that no manifest names, unless they are among the `kept` contents or pinned.
    ///
    /// # Errors
    /// `Directory`, `File` when the file system refuses.
    pub fn sweep(
        &self,
        in_use: &HashSet<Digest>,
        kept: &HashSet<Digest>,
        wanted_bytes: u64,
    ) -> Result<Swept, BlobError> {
        // For what can never fit nothing is given up.
        let wanted_bytes = if wanted_bytes > self.0.limits.store_bytes { 0 } else { wanted_bytes };
        let _held = self.hold_manifests();
        let mut stored = self.stored()?;
        stored.sort_by_key(|one| std::cmp::Reverse(one.used_at));
        let mut swept = self.sweep_files(&stored, kept)?;
        while self.lacks_room(wanted_bytes) {
            let old =
                |one: &Stored| !in_use.contains(&one.digest) && one.used_at.elapsed().is_ok_and(|age| age > YOUNG);
            let Some(last) = stored.iter().rposition(old) else { break };
            let gone = stored.remove(last);
            self.remove(&self.manifest_path(gone.digest))?;
            swept.workspaces += 1;
            let files = self.sweep_files(&stored, kept)?;
            swept.files += files.files;
            swept.bytes += files.bytes;
        }
        Ok(swept)
    }

    /// Counts what is there.
    pub(super) fn count(&self) -> Result<(), BlobError> {
        let mut bytes = 0;
        self.each_file(|_, _, size| {
            bytes += size;
            Ok(())
        })?;
        self.0.used_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn stored(&self) -> Result<Vec<Stored>, BlobError> {
        let dir = self.0.dir.join("manifests");
        let at = |source| BlobError::Directory { path: dir.clone(), source };
        let mut stored = Vec::new();
        for entry in fs::read_dir(&dir).map_err(at)? {
            let entry = entry.map_err(at)?;
            if let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                let used_at = entry.metadata().and_then(|found| found.modified()).map_err(at)?;
                stored.push(Stored { digest, used_at });
            }
        }
        Ok(stored)
    }

    /// Removes files that none of these workspaces names, and nobody else.
    fn sweep_files(&self, stored: &[Stored], kept: &HashSet<Digest>) -> Result<Swept, BlobError> {
        let mut named = HashSet::new();
        for one in stored {
            // A damaged manifest names nothing: its workspace is to be uploaded again.
            if let Ok(manifest) = self.manifest(one.digest) {
                named.extend(manifest.files().map(|(file, _)| file));
            }
        }
        let mut swept = Swept::default();
        self.each_file(|digest, path, size| {
            let wanted =
                |digest: Digest| named.contains(&digest) || kept.contains(&digest) || self.0.pins.holds(digest);
            if !digest.is_some_and(wanted) {
                self.remove(&path)?;
                swept.files += 1;
                swept.bytes += size;
            }
            Ok(())
        })?;
        self.use_less(swept.bytes);
        Ok(swept)
    }

    fn each_file(
        &self,
        mut look: impl FnMut(Option<Digest>, PathBuf, u64) -> Result<(), BlobError>,
    ) -> Result<(), BlobError> {
        let dir = self.0.dir.join("files");
        let at = |source| BlobError::Directory { path: dir.clone(), source };
        for shelf in fs::read_dir(&dir).map_err(at)? {
            let shelf = shelf.map_err(at)?;
            let first = shelf.file_name();
            for file in fs::read_dir(shelf.path()).map_err(at)? {
                let file = file.map_err(at)?;
                let name = format!("{}{}", first.to_string_lossy(), file.file_name().to_string_lossy());
                look(name.parse().ok(), file.path(), file.metadata().map_err(at)?.len())?;
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self, path: &std::path::Path) -> Result<(), BlobError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::File { what: "remove", path: path.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }
}
