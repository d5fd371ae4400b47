//! Trees of files as a well-behaved client would send them, and stores that hold them.

use std::io::Write as _;

use sha2::{Digest as _, Sha256};
use shuntyard::blobs::{BlobLimits, BlobStore, Held, Parcel};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::{Compression, Sums, bundle_line};
use shuntyard_domain::workspace::{Entry, Limits, Manifest};
use tempfile::TempDir;

/// The SHA-256 of some bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> Digest {
    Digest::of_sha256(Sha256::digest(bytes.as_ref()).into())
}

/// A tree in memory.
pub struct Tree {
    pub manifest: Manifest,
    pub files: Vec<Vec<u8>>,
}

impl Tree {
    /// Files by path; a path that ends with `*` can be run, a text that starts with `-> ` is a link.
    pub fn new(listed: &[(&str, &str)]) -> Self {
        let entry = |(path, text): &(&str, &str)| match text.strip_prefix("-> ") {
            Some(target) => ((*path).to_owned(), Entry::Link { target: target.into() }),
            None => {
                let (name, executable) = path.strip_suffix('*').map_or((*path, false), |name| (name, true));
                (name.to_owned(), Entry::File { digest: sha256(text), size: text.len() as u64, executable })
            }
        };
        let files = listed.iter().filter(|(_, text)| !text.starts_with("-> "));
        Self {
            manifest: Manifest::new(listed.iter().map(entry)).expect("a good tree"),
            files: files.map(|(_, text)| text.as_bytes().to_vec()).collect(),
        }
    }

    pub fn text(&self) -> String {
        self.manifest.text()
    }

    pub fn digest(&self) -> Digest {
        sha256(self.text())
    }
}

/// A bundle of contents, before its compression.
pub fn bundle(files: &[&[u8]]) -> Vec<u8> {
    files.iter().fold(Vec::new(), |mut bundle, file| {
        bundle.extend_from_slice(bundle_line(sha256(file), file.len() as u64).as_bytes());
        bundle.extend_from_slice(file);
        bundle
    })
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("zstd")
}

/// A store of its own.
pub struct Blobs {
    pub dir: TempDir,
    pub store: BlobStore,
}

/// Room for what tests bring.
pub const ROOMY: BlobLimits =
    BlobLimits { workspace: Limits { max_entries: 1000, max_bytes: 1 << 30 }, store_bytes: 2 << 30, min_free_bytes: 0 };

impl Blobs {
    pub fn new(limits: BlobLimits) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { store: BlobStore::open(dir.path(), limits).expect("a store"), dir }
    }

    /// Puts a whole tree.
    pub fn put(&self, tree: &Tree) -> Held {
        self.store.put_manifest(tree.digest(), tree.text().as_bytes()).expect("the manifest is taken");
        let mut files: Vec<&[u8]> = tree.files.iter().map(Vec::as_slice).collect();
        files.sort_unstable();
        files.dedup();
        self.store.receive(tree.digest(), &zstd(&bundle(&files))[..]).expect("the files are taken")
    }

    /// What a runner would be sent: the whole tree, or only these paths.
    pub fn parcel(&self, tree: &Tree, only: Option<&[String]>, compression: Compression, sums: Sums) -> Vec<u8> {
        let only = only.map(|only| only.iter().cloned().collect());
        let mut bytes = Vec::new();
        let parcel = Parcel { held: self.put(tree), only, compression, sums };
        self.store.send(&parcel, &mut bytes).expect("a parcel");
        bytes.flush().expect("bytes in memory");
        bytes
    }
}
