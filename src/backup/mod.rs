//! `shuntd backup` and `shuntd restore`: one archive of database, logs, workspaces, artifacts and configuration.
//!
//! The archive is a tar in zstd. Its last entry, `manifest.json`, names every other one with its SHA-256: an archive that
//! was cut off has none. What proves or opens something by itself (`master.key`, `dial-out.key`, `tls.key` with its certificate) is left out unless
//! asked for. Sessions of the local runner (`local/`) and `admin.token` are never in it: they are made anew.

mod make;
mod marker;
mod restore;
mod summed;
mod told;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::store::StoreError;

pub use make::{Made, What, make};
pub use marker::take_up;
pub use restore::{Restored, restore};
pub use told::{told, told_restored};

/// The layout of archives that this version writes and reads.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "shuntyard.db";
/// What was configured when the backup was made, without passwords.
const CONFIG: &str = "backup-config.toml";
const MASTER_KEY: &str = "master.key";
/// Files of the data directory that open or prove something by themselves.
const KEYS: [&str; 4] = [MASTER_KEY, "dial-out.key", "tls.key", "tls.crt"];
/// Tells the next start that the data is from a backup.
const MARKER: &str = "restored.json";

/// A backup could not be made or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already; give another name", .0.display())]
    Exists(PathBuf),
    #[error(
        "the database is {0}: pg_dump backs it up. Make that first, then take the rest with `shuntd backup --files-only`"
    )]
    NotSqlite(String),
    #[error("there is no database {}; nothing to back up", .0.display())]
    NoDatabase(PathBuf),
    #[error("cannot {what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} is not a whole backup of Shuntyard: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} was made by a newer version (format {format}, or the migrations {})", path.display(), unknown.join(", "))]
    Newer { path: PathBuf, format: u32, unknown: Vec<String> },
    #[error("a shuntd runs on {}; stop it, and restore to an empty directory", .0.display())]
    Running(PathBuf),
    #[error("{} is not empty; restore to a new directory, and set [data] dir to it or rename it", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot write the manifest")]
    Manifest(#[from] serde_json::Error),
}

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Of the program that made it.
    pub version: String,
    /// RFC 3339 in UTC.
    pub made_at: String,
    /// `sqlite`, or `elsewhere` when only files were taken.
    pub database: String,
    /// The migrations that the database has.
    pub migrations: Vec<String>,
    /// Names of the data directory that are not in it.
    pub left_out: Vec<String>,
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

fn at(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.into();
    move |source| BackupError::File { what, path, source }
}
