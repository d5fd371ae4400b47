//! The endpoint's own key, by which hosts that dial out know the dispatcher.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use russh::keys::PrivateKey;
use zeroize::Zeroizing;

use super::InboundError;
use crate::ssh::credentials::{generate_key, load_private_key};

/// Reads the key of `file`, or makes it (ed25519, mode 0600) when there is none.
pub(super) fn read_or_make(file: &Path) -> Result<PrivateKey, InboundError> {
    let failed = |source| InboundError::KeyFile { path: file.to_owned(), source };
    let bad = |reason: String| InboundError::BadKey { path: file.to_owned(), reason };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (private, _) = generate_key("shuntyard").map_err(|error| bad(error.to_string()))?;
            write(file, private.as_bytes()).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
        Ok(about) => {
            let mode = about.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(bad(format!("mode {mode:04o}; only its owner may read it (0600)")));
            }
        }
    }
    let text = Zeroizing::new(fs::read_to_string(file).map_err(failed)?);
    load_private_key(&text, None).map_err(|error| bad(error.to_string()))
}

/// By temporary name: a key that was written half is not found at the next start.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    made.write_all(text)?;
    made.sync_all()?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key");
        let made = read_or_make(&file).expect("a key");
        assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&file).expect("the key").public_key(), made.public_key());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(read_or_make(&file), Err(InboundError::BadKey { .. })));
    }
}
