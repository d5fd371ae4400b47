//! Makes an archive, also while the daemon runs.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Cursor, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use shuntyard_domain::wire::time_text::rfc3339;
use tar::{Builder, EntryType, Header};

use super::summed::Summed;
use super::{BackupError, CONFIG, DATABASE, Entry, FORMAT, KEYS, MANIFEST, MASTER_KEY, Manifest, at};
use crate::config::Config;
use crate::store::{StoreUrl, copy_into};

/// Quick, and logs shrink to a tenth: more would cost more than the disk gives.
const ZSTD_LEVEL: i32 = 3;

/// What is taken beside logs, workspaces and artifacts.
#[derive(Clone, Copy, Debug, Default)]
pub struct What {
    /// `master.key` and `dial-out.key`, too.
    pub keys: bool,
    /// Not the database: somebody else backs it up.
    pub files_only: bool,
}

/// A finished archive.
#[derive(Debug)]
pub struct Made {
    pub file: PathBuf,
    pub bytes: u64,
    pub manifest: Manifest,
}

/// Writes an archive to `to`, a new file or a directory for one. Blocks.
///
/// The database is copied first, as of one moment; logs and files follow, so that all that it speaks of is there.
///
/// # Errors
/// `BackupError`; a half-written archive is removed.
pub fn make(config: &Config, to: &Path, what: What, now_ms: i64) -> Result<Made, BackupError> {
    let url = StoreUrl::parse(&config.store.url)?;
    let made_at = rfc3339(now_ms);
    let file =
        if to.is_dir() { to.join(format!("shuntyard-{}.tar.zst", made_at.replace(':', "-"))) } else { to.to_owned() };
    if file.exists() {
        return Err(BackupError::Exists(file));
    }
    let partial = beside(&file, "partial");
    let made = archive(config, &url, what, made_at, &partial);
    let manifest = made.inspect_err(|_| drop(fs::remove_file(&partial)))?;
    fs::rename(&partial, &file).map_err(at("rename", &partial))?;
    let bytes = fs::metadata(&file).map_err(at("read", &file))?.len();
    Ok(Made { file, bytes, manifest })
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

fn private(path: &Path) -> Result<File, BackupError> {
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at("create", path))
}

fn archive(
    config: &Config,
    url: &StoreUrl,
    what: What,
    made_at: String,
    partial: &Path,
) -> Result<Manifest, BackupError> {
    let paths = config.paths();
    let mut writer = Writer::begin(partial)?;
    let (database, migrations) = match url {
        _ if what.files_only => ("elsewhere", Vec::new()),
        StoreUrl::Postgres(_) => return Err(BackupError::NotSqlite(url.to_string())),
        StoreUrl::Sqlite(path) if !path.exists() => return Err(BackupError::NoDatabase(path.clone())),
        StoreUrl::Sqlite(_) => {
            let copy = beside(partial, "db");
            private(&copy)?;
            let taken = copy_into(url, &copy).map_err(BackupError::from);
            let taken = taken.and_then(|migrations| writer.file(&copy, DATABASE).map(|()| migrations));
            let _ = fs::remove_file(&copy);
            ("sqlite", taken?)
        }
    };
    writer.tree(&paths.logs, "logs")?;
    writer.tree(&paths.blobs.join("manifests"), "blobs/manifests")?;
    writer.tree(&paths.blobs.join("files"), "blobs/files")?;
    writer.bytes(config.to_toml().as_bytes(), CONFIG)?;
    let mut left_out = vec!["admin.token".to_owned(), "local".to_owned()];
    for key in KEYS {
        match paths.data_dir.join(key) {
            path if what.keys && path.exists() => writer.file(&path, key)?,
            // Somebody else may keep the master key.
            path if path.exists() || key == MASTER_KEY => left_out.push(key.to_owned()),
            _ => (),
        }
    }
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        made_at,
        database: database.into(),
        migrations,
        left_out,
        files: std::mem::take(&mut writer.entries),
    };
    writer.bytes(serde_json::to_string_pretty(&manifest)?.as_bytes(), MANIFEST)?;
    writer.end()?;
    Ok(manifest)
}

/// The archive that is being written.
struct Writer {
    path: PathBuf,
    archive: Builder<zstd::stream::write::Encoder<'static, BufWriter<File>>>,
    entries: Vec<Entry>,
}

impl Writer {
    fn begin(path: &Path) -> Result<Self, BackupError> {
        let file = BufWriter::new(private(path)?);
        let encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(at("write", path))?;
        Ok(Self { path: path.to_owned(), archive: Builder::new(encoder), entries: Vec::new() })
    }

    /// Every regular file below `dir`, in the order of names. What goes while it is looked at is passed over.
    fn tree(&mut self, dir: &Path, name: &str) -> Result<(), BackupError> {
        let Ok(listed) = fs::read_dir(dir) else { return Ok(()) };
        let mut entries: Vec<_> = listed.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.tree(&entry.path(), &inner)?,
                Ok(kind) if kind.is_file() => match File::open(entry.path()) {
                    Ok(file) => self.opened(&entry.path(), file, &inner)?,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => (),
                    Err(error) => return Err(at("read", entry.path())(error)),
                },
                Ok(_) | Err(_) => (),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), BackupError> {
        let file = File::open(path).map_err(at("read", path))?;
        self.opened(path, file, name)
    }

    /// As long as it is now: what a log gets meanwhile is on its runner, too.
    fn opened(&mut self, path: &Path, file: File, name: &str) -> Result<(), BackupError> {
        let length = file.metadata().map_err(at("read", path))?.len();
        self.entry(file, length, name)
    }

    fn bytes(&mut self, bytes: &[u8], name: &str) -> Result<(), BackupError> {
        self.entry(Cursor::new(bytes), bytes.len() as u64, name)
    }

    fn entry(&mut self, from: impl Read, length: u64, name: &str) -> Result<(), BackupError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(length);
        header.set_mode(0o600);
        let mut summed = Summed::new(from, length);
        self.archive.append_data(&mut header, name, &mut summed).map_err(at("write", &self.path))?;
        self.entries.push(Entry { path: name.to_owned(), bytes: length, sha256: summed.sum() });
        Ok(())
    }

    /// Everything is on disk when this answers.
    fn end(self) -> Result<(), BackupError> {
        let ended = self.archive.into_inner().and_then(zstd::stream::write::Encoder::finish).and_then(|mut file| {
            file.flush()?;
            file.get_ref().sync_all()
        });
        ended.map_err(at("write", self.path))
    }
}
