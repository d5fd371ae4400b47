//! What a runner is sent: an archive that is made here from checked contents, never one that a client made.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::workspace::{Compression, Sums};
use shuntyard_domain::workspace::{Entry, Manifest};
use tar::{EntryType, Header};

use super::{BlobError, BlobStore, Held, finished};

/// Every file has this time: the second day of 1980, the first that also fits into a zip archive in every time zone.
const MTIME_S: u64 = 315_619_200;
/// Pays on every link below about 1.5 Gbit/s; higher levels cost more time than they save.
const ZSTD_LEVEL: i32 = 1;
const BUFFER_BYTES: usize = 64 << 10;

/// One delivery to one runner.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub held: Held,
    /// Paths to send; `None`: all.
    pub only: Option<HashSet<String>>,
    pub compression: Compression,
    pub sums: Sums,
}

impl BlobStore {
    /// Writes the parcel: the entries below `tree/`, the sums of all files, and an end mark.
    ///
    /// # Errors
    /// `ReceiverGone` when `to` fails; `Incomplete`, `Damaged` when a content is not there: nothing that follows would
    /// be a tree, so that the end mark is never written.
    pub fn send(&self, parcel: &Parcel, to: impl Write) -> Result<(), BlobError> {
        let gone = BlobError::ReceiverGone;
        match parcel.compression {
            Compression::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(to, ZSTD_LEVEL).map_err(gone)?;
                self.pack(parcel, encoder)?.finish().and_then(|mut to| to.flush()).map_err(gone)
            }
            Compression::Gzip => {
                let encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
                self.pack(parcel, encoder)?.finish().and_then(|mut to| to.flush()).map_err(gone)
            }
            Compression::None => self.pack(parcel, to)?.flush().map_err(gone),
        }
    }

    fn pack<W: Write>(&self, parcel: &Parcel, to: W) -> Result<W, BlobError> {
        let mut archive = tar::Builder::new(to);
        let tree: &Manifest = &parcel.held.manifest;
        let wanted = |path: &str| parcel.only.as_ref().is_none_or(|only| only.contains(path));
        // Links come last: nothing is ever unpacked through one.
        for links in [false, true] {
            for (path, entry) in tree.entries().filter(|(_, entry)| matches!(entry, Entry::Link { .. }) == links) {
                if wanted(path) {
                    self.append(parcel, &mut archive, path, entry)?;
                }
            }
        }
        let sums = self.sums(parcel)?;
        append_file(&mut archive, "sums", sums.as_bytes(), sums.len() as u64, false)?;
        append_file(&mut archive, "end", io::empty(), 0, false)?;
        archive.into_inner().map_err(BlobError::ReceiverGone)
    }

    fn append<W: Write>(
        &self,
        parcel: &Parcel,
        archive: &mut tar::Builder<W>,
        path: &str,
        entry: &Entry,
    ) -> Result<(), BlobError> {
        let path = format!("tree/{path}");
        match entry {
            Entry::Directory => {
                let mut header = header(EntryType::Directory, 0o755, 0);
                archive.append_data(&mut header, path, io::empty()).map_err(BlobError::ReceiverGone)
            }
            Entry::Link { target } => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                archive.append_link(&mut header, path, target).map_err(BlobError::ReceiverGone)
            }
            Entry::File { digest, size, executable } => {
                let mut content = self.content(parcel, *digest, *size)?;
                append_file(archive, &path, &mut content, *size, *executable)
                    .map_err(|error| if content.failed { BlobError::Damaged(*digest) } else { error })?;
                content.check(self)
            }
        }
    }

    fn content(&self, parcel: &Parcel, digest: Digest, size: u64) -> Result<Content, BlobError> {
        let path = self.file_path(digest);
        let Ok(file) = File::open(&path) else {
            return Err(BlobError::Incomplete { workspace: parcel.held.digest, digest });
        };
        Ok(Content { digest, file: file.take(size), sum: Sha256::new(), failed: false })
    }

    /// The list by which the host checks the whole tree, in the form that its program prints.
    fn sums(&self, parcel: &Parcel) -> Result<String, BlobError> {
        let mut lines = Vec::new();
        for (path, entry) in parcel.held.manifest.entries() {
            let Entry::File { digest, size, .. } = entry else { continue };
            lines.push(match parcel.sums {
                Sums::Sha256 => format!("{digest}  ./{path}"),
                Sums::Cksum => {
                    let mut sum = Cksum::default();
                    let mut content = self.content(parcel, *digest, *size)?;
                    let mut piece = vec![0; BUFFER_BYTES];
                    while let Some(read) = content.read(&mut piece).ok().filter(|read| *read > 0) {
                        sum.update(&piece[..read]);
                    }
                    content.check(self)?;
                    format!("{} {size} ./{path}", sum.value())
                }
            });
        }
        lines.sort_unstable();
        Ok(lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        }))
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME_S);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append_file<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &str,
    content: impl Read,
    size: u64,
    executable: bool,
) -> Result<(), BlobError> {
    let mut header = header(EntryType::Regular, if executable { 0o755 } else { 0o644 }, size);
    archive.append_data(&mut header, path, content).map_err(BlobError::ReceiverGone)
}

/// A stored content that is summed while it is read.
struct Content {
    digest: Digest,
    file: io::Take<File>,
    sum: Sha256,
    failed: bool,
}

impl Content {
    /// A damaged file is removed: the next upload brings it again.
    fn check(self, store: &BlobStore) -> Result<(), BlobError> {
        if self.file.limit() == 0 && finished(self.sum) == self.digest {
            return Ok(());
        }
        store.remove(&store.file_path(self.digest))?;
        Err(BlobError::Damaged(self.digest))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer).inspect_err(|_| self.failed = true)?;
        self.sum.update(&buffer[..read]);
        // Fewer bytes than the archive's header says would shift everything behind them.
        if read == 0 && self.file.limit() > 0 && !buffer.is_empty() {
            self.failed = true;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}
