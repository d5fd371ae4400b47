//! Who has logged in where: a file in the user's configuration directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const FILE: &str = "logins.json";

/// Every server that this user has logged in to, by its address as it is shown.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Logins {
    /// The one that is spoken to when none is named.
    #[serde(default)]
    pub current: Option<String>,
    #[serde(default)]
    pub servers: BTreeMap<String, Login>,
}

/// What is kept of one server. Has no `Debug` that shows the token: it is secret.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Login {
    /// The certificate that alone is taken, when it signs itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Certificates of authorities that are trusted besides the system's; absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whose token it is; nobody's name when a token was given by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When the token ends, as the server's clock has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Logins {
    /// Reads the file; none is no login.
    ///
    /// # Errors
    /// `ReadFile`, `BadLogins`.
    pub fn read() -> Result<Self, Failure> {
        let Some(path) = path() else { return Ok(Self::default()) };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(source) => return Err(Failure::ReadFile { path, source }),
        };
        serde_json::from_slice(&text).map_err(|source| Failure::BadLogins { path, source })
    }

    /// Changes the file, as one of several commands at a time may; its owner alone may read it.
    ///
    /// # Errors
    /// `NoConfigDirectory`, `WriteFile`, and as `read`.
    pub fn change(change: impl FnOnce(&mut Self)) -> Result<(), Failure> {
        let path = path().ok_or(Failure::NoConfigDirectory)?;
        let failed = |source| Failure::WriteFile { path: path.clone(), source };
        let directory = path.parent().unwrap_or(Path::new("/"));
        make_private(directory).map_err(failed)?;
        // Whoever changes it at the same moment waits: what they have added is not lost.
        let turn = fs::File::create(path.with_extension("lock")).map_err(failed)?;
        turn.lock().map_err(failed)?;
        let mut logins = Self::read()?;
        change(&mut logins);
        let text = serde_json::to_vec_pretty(&logins).map_err(|error| failed(error.into()))?;
        write(&path, &text).map_err(failed)
    }
}

/// `$XDG_CONFIG_HOME/shuntyard/logins.json`; a relative directory does not count.
fn path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("shuntyard").join(FILE))
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// By temporary name: a file that was written half is not found by the next command.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
