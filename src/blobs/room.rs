//! Room in the store: how much is used, whether more fits, and what is set aside for contents that are on their way.

use std::sync::atomic::Ordering;

use super::{BlobError, BlobStore};

/// Bytes that count as used before they are kept, so that writers side by side see each other. Dropping it lets go of them.
pub(super) struct Room {
    store: BlobStore,
    bytes: u64,
}

impl BlobStore {
    /// Tells whether so many bytes more would pass the limits, or leave too little free disk. 0: whether it is crowded now.
    #[must_use]
    pub fn lacks_room(&self, bytes: u64) -> bool {
        let limits = &self.0.limits;
        let free = || self.free_bytes().is_ok_and(|free| free < limits.min_free_bytes.saturating_add(bytes));
        self.used_bytes().saturating_add(bytes) > limits.store_bytes || free()
    }

    /// Bytes of all files, and those that are set aside for files on their way.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn no_room(&self) -> Room {
        Room { store: self.clone(), bytes: 0 }
    }

    pub(super) fn use_less(&self, bytes: u64) {
        // The closure never refuses.
        let _ = self
            .0
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(bytes)));
    }

    fn free_bytes(&self) -> Result<u64, BlobError> {
        let disk = rustix::fs::statvfs(&self.0.dir);
        let disk = disk.map_err(|error| BlobError::Directory { path: self.0.dir.clone(), source: error.into() })?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl Room {
    /// Sets more bytes aside, which are not written yet: free disk is held against these alone.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), BlobError> {
        let limits = &self.store.0.limits;
        let fits = |used: u64| used.checked_add(bytes).filter(|wanted| *wanted <= limits.store_bytes);
        let taken = self.store.0.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if let Err(used) = taken {
            return Err(BlobError::StoreFull { found: used.saturating_add(bytes), allowed: limits.store_bytes });
        }
        self.bytes += bytes;
        let free = self.store.free_bytes();
        if matches!(free, Ok(free) if free >= limits.min_free_bytes.saturating_add(bytes)) {
            return Ok(());
        }
        self.bytes -= bytes;
        self.store.use_less(bytes);
        Err(BlobError::DiskFull { found: free?, allowed: limits.min_free_bytes })
    }

    /// The bytes are those of a file that is kept now.
    pub(super) fn fill(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.store.use_less(self.bytes);
    }
}
