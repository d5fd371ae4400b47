//! Contents that come from a host, of which nothing is known before: size and digest are found while they are written.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;

use super::room::Room;
use super::{BlobError, BlobStore, Pin, finished};

/// A content that is being written. Dropping it throws it away.
pub struct Intake {
    store: BlobStore,
    file: File,
    temporary: PathBuf,
    sum: Sha256,
    size: u64,
    /// Taken when it is kept.
    room: Option<Room>,
}

/// A content that is kept, and not swept before its pin is dropped.
pub struct Kept {
    pub digest: Digest,
    pub size: u64,
    pub pin: Pin,
}

impl BlobStore {
    /// Begins a content.
    ///
    /// # Errors
    /// `File` when the disk refuses.
    pub fn take_in(&self) -> Result<Intake, BlobError> {
        let (file, temporary) = self.incoming()?;
        Ok(Intake { store: self.clone(), file, temporary, sum: Sha256::new(), size: 0, room: Some(self.no_room()) })
    }

    /// Reads a part of a content: as many bytes from `offset` on as there are, at most `max_bytes`.
    ///
    /// # Errors
    /// `File` when it is not there or cannot be read.
    pub fn read_content(&self, digest: Digest, offset: u64, max_bytes: u64) -> Result<Vec<u8>, BlobError> {
        let path = self.file_path(digest);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(max_bytes).read_to_end(&mut bytes)
        });
        read.map_err(|source| BlobError::File { what: "read", path, source })?;
        Ok(bytes)
    }

    /// Makes what was kept survive a power cut.
    ///
    /// # Errors
    /// `File`
    pub fn sync_contents(&self) -> Result<(), BlobError> {
        self.sync()
    }
}

impl Intake {
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// `StoreFull`, `DiskFull` before anything of them is written: they can be written again when there is room. `File`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        if let Some(room) = &mut self.room {
            room.grow(bytes.len() as u64)?;
        }
        let at = |source| BlobError::File { what: "write", path: self.temporary.clone(), source };
        self.file.write_all(bytes).map_err(at)?;
        self.sum.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Keeps the content under its digest. One that is there already is replaced: it may be damaged.
    ///
    /// # Errors
    /// `File`
    pub fn keep(mut self) -> Result<Kept, BlobError> {
        let digest = finished(std::mem::take(&mut self.sum));
        let (store, size) = (self.store.clone(), self.size);
        // A sweep looks at the pins under this lock.
        let _held = store.hold_manifests();
        let pin = store.0.pins.pin(digest);
        let path = store.file_path(digest);
        let at = |source| BlobError::File { what: "rename", path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at)?;
        }
        let is_new = !store.has(digest, size);
        fs::rename(&self.temporary, &path).map_err(at)?;
        if is_new && let Some(room) = self.room.take() {
            room.fill();
        }
        Ok(Kept { digest, size, pin })
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // One that was kept is not there any more.
        let _ = fs::remove_file(&self.temporary);
    }
}
