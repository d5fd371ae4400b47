//! The master key's file: 32 random bytes that only their owner can read.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::SealError;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// A master key. Has no `Debug`: it is secret.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl From<[u8; KEY_BYTES]> for MasterKey {
    fn from(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl MasterKey {
    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

fn at<'p>(path: &'p Path, what: &'static str) -> impl FnOnce(std::io::Error) -> SealError + 'p {
    move |source| SealError::KeyFile { what, path: path.to_owned(), source }
}

/// Reads a key. `kept_by_systemd`: its mode is the service manager's business, which grants by access lists.
///
/// # Errors
/// `SealError::KeyFile` when the file system refuses, `BadKey` for a wrong size or mode.
pub fn read_key_file(path: &Path, kept_by_systemd: bool) -> Result<MasterKey, SealError> {
    let mode = fs::metadata(path).map_err(at(path, "read"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !kept_by_systemd {
        return Err(SealError::BadKey { path: path.to_owned(), found: format!("mode {mode:04o}") });
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(at(path, "read"))?);
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
    let key = key.map_err(|_| SealError::BadKey { path: path.to_owned(), found: format!("{} bytes", bytes.len()) })?;
    Ok(key.into())
}

/// Makes a file (mode 0400) with a fresh key; it survives a power cut when this answers.
///
/// # Errors
/// `SealError::KeyFile` when the file system refuses or the file is there, `Random`.
pub fn make_key_file(path: &Path) -> Result<(), SealError> {
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| SealError::Random)?;
    // By another name first: a cut in the middle must not leave half a key.
    let fresh = path.with_extension("fresh");
    let _ = fs::remove_file(&fresh);
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(&fresh);
    let mut file = made.map_err(at(path, "create"))?;
    file.write_all(key.as_slice()).and_then(|()| file.sync_all()).map_err(at(path, "write"))?;
    // Unlike a rename this replaces nothing.
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh).map_err(at(path, "create"))?;
    linked.map_err(at(path, "create"))?;
    sync_directory_of(path)
}

/// Makes what was created, renamed or removed beside `path` survive a power cut.
///
/// # Errors
/// `SealError::KeyFile` when the file system refuses.
pub fn sync_directory_of(path: &Path) -> Result<(), SealError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(path, "sync the directory of"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_read_only_while_nobody_else_can() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert!(read_key_file(&path, false).is_err());
        make_key_file(&path).unwrap();
        let key = read_key_file(&path, false).unwrap();
        assert!(matches!(make_key_file(&path), Err(SealError::KeyFile { .. })), "it is not replaced");
        assert_eq!(read_key_file(&path, false).unwrap().bytes(), key.bytes());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(matches!(read_key_file(&path, false), Err(SealError::BadKey { .. })));
        assert!(read_key_file(&path, true).is_ok());
        fs::remove_file(&path).unwrap();
        fs::write(&path, [1; 31]).unwrap();
        assert!(matches!(read_key_file(&path, true), Err(SealError::BadKey { .. })));
    }
}
