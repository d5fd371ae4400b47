//! Receiving the files of a workspace: one stream, every file checked and kept as it comes.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::{MAX_BUNDLE_LINE, parse_bundle_line};

use super::room::Room;
use super::{BlobError, BlobStore, Held, finished};

/// A bundle may grow by this much while it is unpacked, once it is larger than `RATIO_FREE_BYTES`.
const MAX_RATIO: u64 = 1000;
const RATIO_FREE_BYTES: u64 = 64 << 20;
/// A decoder's window: 128 MiB, as `zstd -d` takes without being asked.
const MAX_WINDOW_LOG: u32 = 27;
const PIECE_BYTES: usize = 128 << 10;

/// Counts what is read through it.
struct Counting<'c, R> {
    inner: R,
    bytes: &'c AtomicU64,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What a bundle may still bring, and what it has brought.
struct Receiving<'s> {
    store: &'s BlobStore,
    workspace: Digest,
    expected: HashMap<Digest, u64>,
    compressed: &'s AtomicU64,
    unpacked: u64,
    /// Asked once, with the bytes that are wanted.
    make_room: Option<&'s mut dyn FnMut(u64)>,
}

impl BlobStore {
    /// Receives a bundle of files for a workspace whose manifest is known, and says what is still missing.
    ///
    /// Each file is kept as soon as it is complete: after a cut, or a refusal, only the rest is to be sent again.
    ///
    /// # Errors
    /// `NoWorkspace`; `CutOff` when `from` fails; `BadBundle`, `OtherContent`, `NotAsked`, `Ratio` when something
    /// else came than was announced; `StoreFull`, `DiskFull`.
    pub fn receive(&self, workspace: Digest, from: impl Read) -> Result<Held, BlobError> {
        self.receive_making_room(workspace, from, &mut |_| ())
    }

    /// As `receive`; the first time that there is no room, `make_room` is asked for all that the workspace still lacks.
    ///
    /// # Errors
    /// As `receive`.
    pub fn receive_making_room(
        &self,
        workspace: Digest,
        from: impl Read,
        make_room: &mut dyn FnMut(u64),
    ) -> Result<Held, BlobError> {
        let held = self.find(workspace)?;
        let compressed = AtomicU64::new(0);
        let mut receiving = Receiving {
            store: self,
            workspace,
            expected: held.manifest.files().collect(),
            compressed: &compressed,
            unpacked: 0,
            make_room: Some(make_room),
        };
        let received = receiving.all(Counting { inner: from, bytes: &compressed });
        // Also what came before a failure is kept.
        self.sync()?;
        received?;
        self.find(workspace)
    }

    /// Makes everything that was written survive a power cut, in one go: a sync a file would take far longer.
    pub(super) fn sync(&self) -> Result<(), BlobError> {
        let path = self.0.dir.join("files");
        let synced = fs::File::open(&path).and_then(|dir| {
            #[cfg(target_os = "linux")]
            return rustix::fs::syncfs(&dir).map_err(io::Error::from);
            #[cfg(not(target_os = "linux"))]
            return dir.sync_all();
        });
        synced.map_err(|source| BlobError::File { what: "sync", path, source })
    }
}

impl Receiving<'_> {
    fn all(&mut self, from: impl Read) -> Result<(), BlobError> {
        let mut decoder = zstd::stream::read::Decoder::new(from).map_err(BlobError::CutOff)?;
        decoder.window_log_max(MAX_WINDOW_LOG).map_err(BlobError::CutOff)?;
        let mut bundle = BufReader::with_capacity(PIECE_BYTES, decoder);
        while let Some((digest, size)) = next_line(&mut bundle)? {
            self.one(digest, size, &mut bundle)?;
        }
        Ok(())
    }

    fn one(&mut self, digest: Digest, size: u64, bundle: &mut impl Read) -> Result<(), BlobError> {
        // Each is taken once: a bundle that repeats itself has no end.
        if self.expected.remove(&digest) != Some(size) {
            return Err(BlobError::NotAsked { workspace: self.workspace, digest, size });
        }
        let room = self.room(size)?;
        let (mut file, temporary) = self.store.incoming()?;
        let written = self.copy(digest, size, bundle, &mut file, &temporary);
        let kept = written.and_then(|()| self.keep(digest, &temporary, room));
        if kept.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        kept
    }

    fn room(&mut self, size: u64) -> Result<Room, BlobError> {
        let mut room = self.store.no_room();
        match room.grow(size) {
            Err(error) if error.is_full() => {
                let make_room = self.make_room.take().ok_or(error)?;
                // It counts as used now: a sweep leaves it.
                make_room(self.store.find(self.workspace)?.missing_bytes());
                room.grow(size)?;
            }
            grown => grown?,
        }
        Ok(room)
    }

    fn copy(
        &mut self,
        digest: Digest,
        size: u64,
        bundle: &mut impl Read,
        file: &mut fs::File,
        path: &Path,
    ) -> Result<(), BlobError> {
        let mut left = size;
        let mut sum = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        while left > 0 {
            let want = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = bundle.read(&mut piece[..want]).map_err(unreadable)?;
            if read == 0 {
                return Err(BlobError::CutOff(io::ErrorKind::UnexpectedEof.into()));
            }
            left -= read as u64;
            self.unpacked += read as u64;
            self.check_ratio()?;
            sum.update(&piece[..read]);
            let at = |source| BlobError::File { what: "write", path: path.to_owned(), source };
            file.write_all(&piece[..read]).map_err(at)?;
        }
        let found = finished(sum);
        if found == digest { Ok(()) } else { Err(BlobError::OtherContent { said: digest, found }) }
    }

    fn keep(&self, digest: Digest, temporary: &Path, room: Room) -> Result<(), BlobError> {
        let path = self.store.file_path(digest);
        let at = |source| BlobError::File { what: "rename", path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at)?;
        }
        let size = fs::metadata(temporary).map_err(at)?.len();
        let is_new = !self.store.has(digest, size);
        fs::rename(temporary, &path).map_err(at)?;
        if is_new {
            room.fill();
        }
        Ok(())
    }

    fn check_ratio(&self) -> Result<(), BlobError> {
        let compressed = self.compressed.load(Ordering::Relaxed);
        if self.unpacked > RATIO_FREE_BYTES && self.unpacked / MAX_RATIO > compressed {
            return Err(BlobError::Ratio { compressed, found: self.unpacked, allowed: MAX_RATIO });
        }
        Ok(())
    }
}

/// The line in front of the next file; `None` at the bundle's end.
fn next_line(bundle: &mut impl io::BufRead) -> Result<Option<(Digest, u64)>, BlobError> {
    let mut line = Vec::new();
    bundle.take(MAX_BUNDLE_LINE as u64).read_until(b'\n', &mut line).map_err(unreadable)?;
    if line.is_empty() {
        return Ok(None);
    }
    let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    let told = || String::from_utf8_lossy(&line).chars().take(80).collect::<String>();
    text.and_then(parse_bundle_line).map(Some).ok_or_else(|| BlobError::BadBundle(format!("{:?} is no head", told())))
}

/// A connection that ends is told from bytes that are not zstd.
fn unreadable(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted | io::ErrorKind::TimedOut => {
            BlobError::CutOff(error)
        }
        _ => BlobError::BadBundle(error.to_string()),
    }
}
