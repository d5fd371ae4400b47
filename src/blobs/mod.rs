//! Workspaces and artifacts on disk: the contents of files by digest, and the manifests of workspaces that name them.
//!
//! `blobs/files/ab/REST` is one content, `blobs/manifests/DIGEST` one workspace; the time of a manifest's file is when
//! it was used last. Nothing is believed: a digest is computed while bytes are written, and again while they are read.
//! Every function here blocks; the engine calls them from blocking threads.

mod bundle;
mod intake;
mod look;
mod parcel;
mod pins;
mod retention;
mod room;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::workspace::{BadManifest, Limits, Manifest};

pub use intake::{Intake, Kept};
pub use look::FoundFile;
pub use parcel::Parcel;
pub use pins::Pin;
pub use retention::Swept;

/// Bounds of the store.
#[derive(Clone, Copy, Debug)]
pub struct BlobLimits {
    /// Of one workspace.
    pub workspace: Limits,
    /// Of all files together; beyond it the workspaces that were not used for the longest time go.
    pub store_bytes: u64,
    /// What is left free on the disk.
    pub min_free_bytes: u64,
}

/// A manifest of more bytes is not read: 100,000 entries have about 15 MiB.
pub const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// The file system refused, or what came is not what was announced.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("cannot use the directory {} of workspaces", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot {what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("there is no workspace {0}")]
    NoWorkspace(Digest),
    #[error(transparent)]
    BadManifest(#[from] BadManifest),
    #[error("the manifest's digest is {found}, not {said}")]
    OtherManifest { said: Digest, found: Digest },
    #[error("the bundle is not one: {0}")]
    BadBundle(String),
    #[error("the file {said} has other contents: their digest is {found}")]
    OtherContent { said: Digest, found: Digest },
    #[error("workspace {workspace} names no file {digest} of {size} bytes")]
    NotAsked { workspace: Digest, digest: Digest, size: u64 },
    #[error("the bundle's {found} bytes came from {compressed}: more than {allowed} to 1")]
    Ratio { compressed: u64, found: u64, allowed: u64 },
    #[error("the server keeps {allowed} bytes of workspaces, and {found} are needed with those that are in use")]
    StoreFull { found: u64, allowed: u64 },
    #[error("the server's disk has {found} bytes free; {allowed} stay free")]
    DiskFull { found: u64, allowed: u64 },
    #[error("the upload was cut off")]
    CutOff(#[source] io::Error),
    #[error("the stored contents of the file {0} are damaged; upload the workspace again")]
    Damaged(Digest),
    #[error("workspace {workspace} lacks the file {digest}; upload it again")]
    Incomplete { workspace: Digest, digest: Digest },
    #[error("{path} has {found} bytes")]
    FileTooLarge { path: String, found: u64, allowed: u64 },
    #[error("the receiver has gone away")]
    ReceiverGone(#[source] io::Error),
}

impl BlobError {
    /// Whether there was no room: a sweep may make some.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::StoreFull { .. } | Self::DiskFull { .. })
    }
}

/// What the store has of a workspace.
#[derive(Clone, Debug)]
pub struct Held {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    /// Contents that are missing, each once.
    pub missing: Vec<(Digest, u64)>,
}

impl Held {
    /// Bytes of what is missing.
    #[must_use]
    pub fn missing_bytes(&self) -> u64 {
        self.missing.iter().fold(0, |bytes, (_, size)| bytes.saturating_add(*size))
    }
}

/// The directory of all workspaces; cheap to clone.
#[derive(Clone)]
pub struct BlobStore(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    limits: BlobLimits,
    /// Bytes of the files and of the room that is set aside, as far as this process has counted.
    used_bytes: AtomicU64,
    /// Held while manifests come or go: a sweep must see every manifest whose files were called present.
    manifests: Mutex<()>,
    pins: pins::Pins,
}

impl BlobStore {
    /// Uses `dir`, which is created when it is missing; what an earlier process has left half-written is removed.
    ///
    /// # Errors
    /// `Directory` when it cannot be created or read.
    pub fn open(dir: &Path, limits: BlobLimits) -> Result<Self, BlobError> {
        let at = |source| BlobError::Directory { path: dir.to_owned(), source };
        let _ = fs::remove_dir_all(dir.join("incoming"));
        for name in ["incoming", "files", "manifests"] {
            fs::create_dir_all(dir.join(name)).map_err(at)?;
        }
        let store = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            limits,
            used_bytes: AtomicU64::new(0),
            manifests: Mutex::default(),
            pins: pins::Pins::default(),
        }));
        store.count()?;
        Ok(store)
    }

    /// The limits of one workspace.
    #[must_use]
    pub fn workspace_limits(&self) -> Limits {
        self.0.limits.workspace
    }

    /// Takes a manifest and says which files are missing. Taking it again is how an upload is resumed.
    ///
    /// # Errors
    /// `OtherManifest`, `BadManifest`; `File` when the disk refuses.
    pub fn put_manifest(&self, said: Digest, text: &[u8]) -> Result<Held, BlobError> {
        let found = digest_of(text);
        if found != said {
            return Err(BlobError::OtherManifest { said, found });
        }
        let text = std::str::from_utf8(text)
            .map_err(|_| BadManifest::Line { line: 1, found: "text that is not UTF-8".into() })?;
        let manifest = Manifest::parse(text, self.0.limits.workspace)?;
        let _held = self.hold_manifests();
        self.write_whole(&self.manifest_path(said), text.as_bytes())?;
        Ok(self.held(said, manifest))
    }

    /// What is there of a workspace; it counts as used now.
    ///
    /// # Errors
    /// `NoWorkspace`; `BadManifest` when the stored text is damaged.
    pub fn find(&self, digest: Digest) -> Result<Held, BlobError> {
        let _held = self.hold_manifests();
        let manifest = self.manifest(digest)?;
        let path = self.manifest_path(digest);
        let touched = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| rustix::fs::futimens(&file, &retention::now()).map_err(io::Error::from));
        touched.map_err(|source| BlobError::File { what: "touch", path, source })?;
        Ok(self.held(digest, manifest))
    }

    /// A manifest as it is; this is no use of it.
    ///
    /// # Errors
    /// As `find`.
    pub fn peek(&self, digest: Digest) -> Result<Manifest, BlobError> {
        let _held = self.hold_manifests();
        self.manifest(digest)
    }

    /// Reads a manifest, whose digest is checked.
    fn manifest(&self, digest: Digest) -> Result<Manifest, BlobError> {
        let path = self.manifest_path(digest);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(BlobError::NoWorkspace(digest)),
            Err(source) => return Err(BlobError::File { what: "read", path, source }),
        };
        let found = digest_of(text.as_bytes());
        if found != digest {
            return Err(BlobError::OtherManifest { said: digest, found });
        }
        // The limits may be smaller today than when it was taken.
        let unlimited = Limits { max_entries: u64::MAX, max_bytes: u64::MAX };
        Ok(Manifest::parse(&text, unlimited)?)
    }

    fn held(&self, digest: Digest, manifest: Manifest) -> Held {
        let mut missing: Vec<(Digest, u64)> = manifest.files().filter(|(file, size)| !self.has(*file, *size)).collect();
        missing.sort_unstable();
        missing.dedup();
        Held { digest, manifest: Arc::new(manifest), missing }
    }

    fn has(&self, digest: Digest, size: u64) -> bool {
        fs::metadata(self.file_path(digest)).is_ok_and(|found| found.len() == size)
    }

    /// Spread over 256 directories by the first digits.
    fn file_path(&self, digest: Digest) -> PathBuf {
        content_path(&self.0.dir, digest)
    }

    fn manifest_path(&self, digest: Digest) -> PathBuf {
        self.0.dir.join("manifests").join(digest.to_string())
    }

    fn hold_manifests(&self) -> MutexGuard<'_, ()> {
        self.0.manifests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a file under a temporary name, syncs it and renames it.
    fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), BlobError> {
        let (mut file, temporary) = self.incoming()?;
        let at = |what| move |source| BlobError::File { what, path: path.to_owned(), source };
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at("write"))?;
        fs::rename(&temporary, path).map_err(at("rename"))
    }

    /// A new file that nobody else has.
    fn incoming(&self) -> Result<(File, PathBuf), BlobError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = self.0.dir.join("incoming").join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.map(|file| (file, path.clone())).map_err(|source| BlobError::File { what: "create", path, source })
    }
}

/// Where a content lies below the directory of the store.
#[must_use]
pub fn content_path(dir: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    dir.join("files").join(&name[..2]).join(&name[2..])
}

fn digest_of(bytes: &[u8]) -> Digest {
    finished(Sha256::new_with_prefix(bytes))
}

fn finished(sum: Sha256) -> Digest {
    Digest::of_sha256(sum.finalize().into())
}
