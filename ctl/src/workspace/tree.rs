//! A tree of files: its manifest, and where each content is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::workspace::{Entry, Manifest};

use super::WorkspaceError;
use super::committed::Objects;

/// Where a content is.
#[derive(Clone, Debug)]
pub enum Source {
    /// An object of git, by its name there.
    Object(String),
    File(PathBuf),
}

/// What a listing finds at a path.
pub enum Found {
    File { source: Source, executable: bool },
    Link { target: String },
}

/// A tree that can be sent.
#[derive(Debug)]
pub struct Tree {
    pub dir: PathBuf,
    pub manifest: Manifest,
    /// The manifest's text, and its SHA-256.
    pub text: String,
    pub digest: Digest,
    sources: HashMap<Digest, Source>,
}

impl Tree {
    /// The files of the last commit below `dir`, or with `dirty` the files as they are.
    ///
    /// # Errors
    /// `WorkspaceError`
    pub fn of(dir: &Path, dirty: bool) -> Result<Self, WorkspaceError> {
        if dirty {
            return Self::read(dir, super::working::list(dir)?, &mut Contents::default());
        }
        let listed = super::committed::list(dir)?;
        let mut contents = Contents { objects: Some(Objects::open(dir)?) };
        let links = super::committed::links(&listed, &mut contents)?;
        Self::read(dir, links, &mut contents)
    }

    /// Sums every content once.
    fn read(dir: &Path, found: Vec<(String, Found)>, contents: &mut Contents) -> Result<Self, WorkspaceError> {
        let mut sources = HashMap::new();
        let mut entries = Vec::with_capacity(found.len());
        for (path, found) in found {
            let entry = match found {
                Found::Link { target } => Entry::Link { target },
                Found::File { source, executable } => {
                    let mut sum = Sha256::new();
                    let size = contents.read(&source, &mut |piece| {
                        sum.update(piece);
                        Ok(())
                    })?;
                    let digest = Digest::of_sha256(sum.finalize().into());
                    sources.insert(digest, source);
                    Entry::File { digest, size, executable }
                }
            };
            entries.push((path, entry));
        }
        let manifest = Manifest::new(entries)?;
        let text = manifest.text();
        let digest = Digest::of_sha256(Sha256::digest(&text).into());
        Ok(Self { dir: dir.to_owned(), manifest, text, digest, sources })
    }

    /// The text of the file at a path; `None` when there is none.
    ///
    /// # Errors
    /// `WorkspaceError` when it cannot be read.
    pub fn text_at(&self, path: &str) -> Result<Option<String>, WorkspaceError> {
        let Some(Entry::File { digest, .. }) = self.manifest.get(path) else { return Ok(None) };
        let Some(source) = self.sources.get(digest) else { return Ok(None) };
        let mut text = Vec::new();
        Contents::of(self)?.read(source, &mut |piece| {
            text.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Where a content of this tree is read.
    pub(super) fn source(&self, digest: Digest) -> Option<&Source> {
        self.sources.get(&digest)
    }
}

/// Reads contents, from files or from git.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) objects: Option<Objects>,
}

impl Contents {
    /// What `Tree`'s sources need.
    pub(super) fn of(tree: &Tree) -> Result<Self, WorkspaceError> {
        let in_git = tree.sources.values().any(|source| matches!(source, Source::Object(_)));
        Ok(Self { objects: if in_git { Some(Objects::open(&tree.dir)?) } else { None } })
    }

    /// Hands a content to `take` in pieces and returns its length.
    pub(super) fn read(
        &mut self,
        source: &Source,
        take: &mut dyn FnMut(&[u8]) -> Result<(), WorkspaceError>,
    ) -> Result<u64, WorkspaceError> {
        match (source, &mut self.objects) {
            (Source::File(path), _) => {
                let at = |source| WorkspaceError::Read { path: path.clone(), source };
                pieces(File::open(path).map_err(at)?, &at, take)
            }
            (Source::Object(name), Some(objects)) => objects.read(name, take),
            (Source::Object(name), None) => Err(WorkspaceError::Git(format!("nobody reads object {name}"))),
        }
    }
}

/// Reads to the end in pieces.
pub(super) fn pieces(
    mut from: impl Read,
    at: &dyn Fn(io::Error) -> WorkspaceError,
    take: &mut dyn FnMut(&[u8]) -> Result<(), WorkspaceError>,
) -> Result<u64, WorkspaceError> {
    let mut piece = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        match from.read(&mut piece).map_err(at)? {
            0 => return Ok(bytes),
            read => {
                bytes += read as u64;
                take(&piece[..read])?;
            }
        }
    }
}
