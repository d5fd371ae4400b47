//! The daemon's files in its data directory.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::Config;

/// Where each of the daemon's files is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPaths {
    pub data_dir: PathBuf,
    /// The embedded database, unless `store.url` names another.
    pub database: PathBuf,
    /// Job output.
    pub logs: PathBuf,
    /// Workspaces: manifests and contents of files.
    pub blobs: PathBuf,
    /// Opens the sealed values of the database; without it they are lost. Not in the directory where it is said so.
    pub master_key: PathBuf,
    /// Who keeps the master key.
    pub master_key_kept: Kept,
    /// By this file `shunt` on the same machine logs in.
    pub admin_token: PathBuf,
    /// Where the API of the daemon that runs here is found: for `shunt` on the same machine.
    pub admin_server: PathBuf,
    /// The certificate that the daemon has made for itself, and its key.
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
    /// The host key of the endpoint for hosts that dial out.
    pub dial_out_key: PathBuf,
    /// The local runner's host: its home with jobs and spools, its host key.
    pub local: PathBuf,
    /// Held while a daemon uses the directory.
    pub lock: PathBuf,
}

/// Who keeps the master key's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The daemon: it makes the file, and a rotation replaces it.
    InDataDir,
    /// A person.
    Outside,
    BySystemd,
}

/// The data directory cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the directory {}", path.display())]
pub struct DataDirError {
    pub path: PathBuf,
    #[source]
    source: io::Error,
}

impl Config {
    #[must_use]
    pub fn paths(&self) -> DataPaths {
        let mut paths = DataPaths::in_dir(&self.data.dir);
        let data = &self.data;
        if let Some(file) = &data.master_key_file {
            (paths.master_key, paths.master_key_kept) = (file.clone(), Kept::Outside);
        } else if let Some(credential) = &data.master_key_credential {
            (paths.master_key, paths.master_key_kept) = (credential.clone(), Kept::BySystemd);
        }
        paths
    }
}

/// Where a rotation of the daemon's own master key keeps the next one until it is done.
#[must_use]
pub fn next_master_key(master_key: &Path) -> PathBuf {
    master_key.with_extension("key.next")
}

impl DataPaths {
    /// The files of this data directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            data_dir: dir.to_owned(),
            database: dir.join("shuntyard.db"),
            logs: dir.join("logs"),
            blobs: dir.join("blobs"),
            master_key: dir.join("master.key"),
            master_key_kept: Kept::InDataDir,
            admin_token: dir.join("admin.token"),
            admin_server: dir.join("admin.server"),
            tls_cert: dir.join("tls.crt"),
            tls_key: dir.join("tls.key"),
            dial_out_key: dir.join("dial-out.key"),
            local: dir.join("local"),
            lock: dir.join("shuntd.lock"),
        }
    }

    /// The next master key, when a rotation has not reached its end: values may be sealed with either key.
    #[must_use]
    pub fn half_a_rotation(&self) -> Option<PathBuf> {
        let next = next_master_key(&self.master_key);
        (self.master_key_kept == Kept::InDataDir && next.exists()).then_some(next)
    }

    /// Makes the data directory, `logs` and `blobs` where they are missing, readable by their owner only.
    ///
    /// # Errors
    /// `DataDirError` when the file system refuses.
    pub fn create(&self) -> Result<(), DataDirError> {
        for path in [&self.data_dir, &self.logs, &self.blobs] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|source| DataDirError { path: path.clone(), source })?;
        }
        Ok(())
    }
}
