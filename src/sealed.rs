//! Secrets at rest: XChaCha20-Poly1305, bound to the row they belong to.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// The master key could not be read or made, or a sealed value could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("cannot {what} the master key {}", path.display())]
    KeyFile {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the master key {} must be 32 bytes in a file that only its owner can read (found {found})", path.display())]
    BadKey { path: PathBuf, found: String },
    #[error("a sealed value of {context} cannot be opened: another master key, another row, or damaged")]
    Unopenable { context: String },
    #[error("the system's random source failed")]
    Random,
}

/// Seals and opens values under the master key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    /// For digests; made from the master key.
    digests: Hmac<Sha256>,
}

impl Sealer {
    /// Reads the key file, or makes it (mode 0400, 32 random bytes) when there is none.
    ///
    /// # Errors
    /// `SealError::KeyFile` when the file system refuses, `BadKey` for a wrong size or mode.
    pub fn from_key_file(path: &Path) -> Result<Self, SealError> {
        let at = |what, source| SealError::KeyFile { what, path: path.to_owned(), source };
        if !path.exists() {
            let mut key = Zeroizing::new([0_u8; 32]);
            getrandom::fill(key.as_mut_slice()).map_err(|_| SealError::Random)?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o400)
                .open(path)
                .map_err(|e| at("create", e))?;
            file.write_all(key.as_slice()).and_then(|()| file.sync_all()).map_err(|e| at("write", e))?;
        }
        let mode = fs::metadata(path).map_err(|e| at("read", e))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SealError::BadKey { path: path.to_owned(), found: format!("mode {mode:04o}") });
        }
        let bytes = Zeroizing::new(fs::read(path).map_err(|e| at("read", e))?);
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| SealError::BadKey { path: path.to_owned(), found: format!("{} bytes", bytes.len()) })?;
        let bad = |_| SealError::BadKey { path: path.to_owned(), found: "a key of another length".into() };
        // Not the master key itself: one key for one use.
        let mut derived = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map_err(bad)?;
        derived.update(b"shuntyard digests");
        let digests = <Hmac<Sha256> as KeyInit>::new_from_slice(&derived.finalize().into_bytes()).map_err(bad)?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&Key::from(key)), digests })
    }

    /// A digest of `bytes` that only the holder of the master key can make: what holds a password can be recognised again,
    /// but not be guessed from the database.
    #[must_use]
    pub fn keyed_digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = self.digests.clone();
        digest.update(bytes);
        digest.finalize().into_bytes().into()
    }

    /// Seals `plain` for the row that `context` names; the answer is nonce and ciphertext.
    ///
    /// # Errors
    /// `SealError::Random` when the system gives no random bytes.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Random)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what `seal` made for the same context.
    ///
    /// # Errors
    /// `SealError::Unopenable` for any other context, key or bytes.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let unopenable = || SealError::Unopenable { context: context.to_owned() };
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(unopenable)?;
        let payload = Payload { msg: body, aad: context.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| unopenable())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_needs_the_master_key() {
        let dir = tempfile::tempdir().unwrap();
        let sealer = |name: &str| Sealer::from_key_file(&dir.path().join(name)).unwrap();
        let digest = sealer("one").keyed_digest(b"hunter2");
        assert_eq!(sealer("one").keyed_digest(b"hunter2"), digest, "also after a restart");
        assert_ne!(sealer("one").keyed_digest(b"hunter3"), digest);
        assert_ne!(sealer("two").keyed_digest(b"hunter2"), digest);
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_own_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let sealer = Sealer::from_key_file(&path).unwrap();
        let sealed = sealer.seal("runner:1", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(Sealer::from_key_file(&path).unwrap().open("runner:1", &sealed).unwrap().as_slice(), b"secret");
        assert!(matches!(sealer.open("runner:2", &sealed), Err(SealError::Unopenable { .. })));
        assert!(sealer.open("runner:1", &sealed[..20]).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Sealer::from_key_file(&path), Err(SealError::BadKey { .. })));
    }
}
