//! Puts an archive back into an empty directory, after every byte of it was checked.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, lchown};
use std::path::{Component, Path, PathBuf};

use serde_json::json;
use shuntyard_domain::wire::time_text::rfc3339;
use tar::Archive;

use super::summed::sum_all;
use super::{BackupError, DATABASE, Entry, FORMAT, KEYS, MANIFEST, MARKER, Manifest, at};
use crate::config::DataPaths;
use crate::store::known_migrations;

/// A manifest of more bytes is none.
const MANIFEST_MAX_BYTES: u64 = 1 << 30;
/// The database until everything else is there.
const UNFINISHED: &str = "shuntyard.db.restoring";

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    pub manifest: Manifest,
    pub bytes: u64,
}

/// Restores `file` into `to`, which is made when it is missing. Blocks.
///
/// The next start on it pauses the queue until runners were asked. A directory that belongs to another account
/// gives its owner to all files.
///
/// # Errors
/// `BackupError`; nothing is written before the whole archive was checked, and what was written is taken away again.
pub fn restore(file: &Path, to: &Path, now_ms: i64) -> Result<Restored, BackupError> {
    refuse_used(to)?;
    let manifest = verified(file)?;
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(at("create", to))?;
    let written = extract(file, to, &manifest).and_then(|()| mark(to, &manifest, now_ms)).and_then(|()| finish(to));
    if written.is_err() {
        empty(to);
    }
    written?;
    let bytes = manifest.files.iter().map(|entry| entry.bytes).sum();
    Ok(Restored { manifest, bytes })
}

fn refuse_used(to: &Path) -> Result<(), BackupError> {
    let lock = DataPaths::in_dir(to).lock;
    if File::open(&lock).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))) {
        return Err(BackupError::Running(to.to_owned()));
    }
    match fs::read_dir(to).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(BackupError::NotEmpty(to.to_owned())),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at("read", to)(error)),
    }
}

fn open(file: &Path) -> Result<Archive<impl Read>, BackupError> {
    let opened = BufReader::new(File::open(file).map_err(at("read", file))?);
    Ok(Archive::new(zstd::stream::read::Decoder::new(opened).map_err(at("read", file))?))
}

/// Reads all of it once, and compares every file with the manifest.
fn verified(file: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: file.to_owned(), why };
    let broken = |error: io::Error| damaged(error.to_string());
    let (mut found, mut manifest) = (HashMap::new(), None);
    for entry in open(file)?.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = safe_name(&entry.path().map_err(broken)?).ok_or_else(|| damaged("a name leads out of it".into()))?;
        if !entry.header().entry_type().is_file() {
            return Err(damaged(format!("{name} is not a regular file")));
        }
        if name == MANIFEST {
            let mut text = String::new();
            entry.by_ref().take(MANIFEST_MAX_BYTES).read_to_string(&mut text).map_err(broken)?;
            manifest = Some(serde_json::from_str::<Manifest>(&text).map_err(|error| damaged(error.to_string()))?);
            continue;
        }
        let (sha256, bytes) = sum_all(&mut entry, |_| Ok(())).map_err(broken)?;
        if found.insert(name.clone(), (bytes, sha256)).is_some() {
            return Err(damaged(format!("{name} is in it twice")));
        }
    }
    let manifest = manifest.ok_or_else(|| damaged("it has no manifest: it was cut off".into()))?;
    let known = known_migrations();
    let unknown: Vec<String> = manifest.migrations.iter().filter(|one| !known.contains(one)).cloned().collect();
    if manifest.format > FORMAT || !unknown.is_empty() {
        return Err(BackupError::Newer { path: file.to_owned(), format: manifest.format, unknown });
    }
    for Entry { path, bytes, sha256 } in &manifest.files {
        match found.remove(path) {
            Some(said) if said == (*bytes, sha256.clone()) => (),
            Some(_) => return Err(damaged(format!("{path} has other bytes than its manifest says"))),
            None => return Err(damaged(format!("{path} is missing"))),
        }
    }
    match found.into_keys().next() {
        Some(extra) => Err(damaged(format!("{extra} is not in its manifest"))),
        None => Ok(manifest),
    }
}

/// The name with nothing in it that leads anywhere else.
fn safe_name(path: &Path) -> Option<String> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    path.to_str().filter(|name| plain && !name.is_empty()).map(str::to_owned)
}

fn extract(file: &Path, to: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let owner = Owner::of(to)?;
    let said: HashMap<&str, &Entry> = manifest.files.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let broken = |source| BackupError::Damaged { path: file.to_owned(), why: io::Error::to_string(&source) };
    for name in ["logs", "blobs/files", "blobs/manifests"] {
        owner.make_dirs(to, Path::new(name))?;
    }
    for entry in open(file)?.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = safe_name(&entry.path().map_err(broken)?).unwrap_or_default();
        // The file may have been changed since it was checked.
        let Some(said) = said.get(name.as_str()) else { continue };
        let path = to.join(if name == DATABASE { UNFINISHED } else { name.as_str() });
        if let Some(parent) = Path::new(&name).parent() {
            owner.make_dirs(to, parent)?;
        }
        let mode = if KEYS.contains(&name.as_str()) { 0o400 } else { 0o600 };
        let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let mut written = created.map_err(at("create", &path))?;
        let (sha256, bytes) = sum_all(&mut entry, |piece| put(&mut written, piece)).map_err(at("write", &path))?;
        // What ends in a hole has its length only now.
        written.set_len(bytes).and_then(|()| written.sync_all()).map_err(at("write", &path))?;
        if (bytes, &sha256) != (said.bytes, &said.sha256) {
            return Err(BackupError::Damaged { path: file.to_owned(), why: format!("{name} has changed meanwhile") });
        }
        owner.give(&path)?;
    }
    Ok(())
}

/// Leaves a hole for zeros: the middle of a large log is one.
fn put(file: &mut File, piece: &[u8]) -> io::Result<()> {
    if piece.iter().all(|byte| *byte == 0) {
        file.seek(SeekFrom::Current(i64::try_from(piece.len()).unwrap_or(0))).map(drop)
    } else {
        file.write_all(piece)
    }
}

/// Behind all files and before the database has its name.
fn mark(to: &Path, manifest: &Manifest, now_ms: i64) -> Result<(), BackupError> {
    let (path, owner) = (to.join(MARKER), Owner::of(to)?);
    let text = json!({"made_at": manifest.made_at, "restored_at": rfc3339(now_ms)}).to_string();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(at("create", &path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at("write", &path))?;
    owner.give(&path)
}

/// Gives the database its name, last: a start on half a restore finds none.
fn finish(to: &Path) -> Result<(), BackupError> {
    let (from, database) = (to.join(UNFINISHED), to.join(DATABASE));
    if from.exists() {
        fs::rename(&from, &database).map_err(at("rename", &from))?;
    }
    File::open(to).and_then(|dir| dir.sync_all()).map_err(at("write", to))
}

/// Takes away what was written into the directory, which was empty.
fn empty(to: &Path) {
    for entry in fs::read_dir(to).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

/// Whose the data directory is.
struct Owner {
    uid: u32,
    gid: u32,
    is_other: bool,
}

impl Owner {
    fn of(dir: &Path) -> Result<Self, BackupError> {
        let data = fs::metadata(dir).map_err(at("read", dir))?;
        let is_other = data.uid() != rustix::process::geteuid().as_raw();
        Ok(Self { uid: data.uid(), gid: data.gid(), is_other })
    }

    fn give(&self, path: &Path) -> Result<(), BackupError> {
        if self.is_other { lchown(path, Some(self.uid), Some(self.gid)).map_err(at("give away", path)) } else { Ok(()) }
    }

    fn make_dirs(&self, to: &Path, inner: &Path) -> Result<(), BackupError> {
        let mut path = PathBuf::from(to);
        for part in inner.components() {
            path.push(part);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => self.give(&path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(at("create", &path)(error)),
            }
        }
        Ok(())
    }
}

/// Whether the archive has a database of its own.
impl Restored {
    #[must_use]
    pub fn has_database(&self) -> bool {
        self.manifest.files.iter().any(|entry| entry.path == DATABASE)
    }
}
