//! Secrets at rest: XChaCha20-Poly1305, bound to the row they belong to.
//!
//! A sealed value is `S1`, the id of the key, a nonce of 24 bytes and the ciphertext. Values of before key ids begin with
//! the nonce. By the id a rotation knows which values it has sealed anew already.

mod key_file;

use std::fmt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use key_file::{KEY_BYTES, MasterKey, make_key_file, read_key_file, sync_directory_of};

const NONCE_BYTES: usize = 24;
const MAGIC: &[u8; 2] = b"S1";
const ID_BYTES: usize = 8;

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
    #[error("a sealed value of {context} cannot be opened: another row, or damaged")]
    Unopenable { context: String },
    #[error(
        "a sealed value of {context} cannot be opened: it is sealed with master key {sealed_with}, and this is {this}"
    )]
    OtherKey { context: String, sealed_with: KeyId, this: KeyId },
    #[error("the system's random source failed")]
    Random,
}

/// Names a master key: the beginning of a hash of it, which tells nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Seals and opens values under the master key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    id: KeyId,
    /// For digests; made from the master key.
    digests: Hmac<Sha256>,
}

impl Sealer {
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let hash = Sha256::new_with_prefix(b"shuntyard master key id 1\0").chain_update(key.bytes()).finalize();
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash[..ID_BYTES]);
        // Not the master key itself: one key for one use.
        let derived = Sha256::new_with_prefix(b"shuntyard digests 1\0").chain_update(key.bytes()).finalize();
        let mut block = [0; 64];
        block[..derived.len()].copy_from_slice(&derived);
        let digests = <Hmac<Sha256> as KeyInit>::new(&block.into());
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key.bytes())), id: KeyId(id), digests }
    }

    /// A digest of `bytes` that only the holder of the master key can make: what holds a password can be recognised again,
    /// but not be guessed from the database.
    #[must_use]
    pub fn keyed_digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = self.digests.clone();
        digest.update(bytes);
        digest.finalize().into_bytes().into()
    }

    /// Reads the key of a file, which is made when there is none.
    ///
    /// # Errors
    /// As `make_key_file` and `read_key_file`.
    pub fn from_key_file(path: &Path) -> Result<Self, SealError> {
        if !path.exists() {
            make_key_file(path)?;
        }
        Ok(Self::new(&read_key_file(path, false)?))
    }

    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.id
    }

    /// Seals `plain` for the row that `context` names.
    ///
    /// # Errors
    /// `SealError::Random` when the system gives no random bytes.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Random)?;
        Ok([MAGIC.as_slice(), &self.id.0, &nonce, &sealed].concat())
    }

    /// Opens what `seal` made for the same context.
    ///
    /// # Errors
    /// `SealError::OtherKey` for a value that names another key, `Unopenable` for any other context or bytes.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let named = key_of(sealed);
        let body = if named == Some(self.id) { &sealed[MAGIC.len() + ID_BYTES..] } else { sealed };
        self.decrypt(context, body).ok_or_else(|| match named {
            Some(sealed_with) if sealed_with != self.id => {
                SealError::OtherKey { context: context.to_owned(), sealed_with, this: self.id }
            }
            _ => SealError::Unopenable { context: context.to_owned() },
        })
    }

    /// Tells whether a value says that it is sealed with this key.
    #[must_use]
    pub fn has_sealed(&self, sealed: &[u8]) -> bool {
        key_of(sealed) == Some(self.id)
    }

    fn decrypt(&self, context: &str, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = body.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: body, aad: context.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

/// The key that a value names. One of before key ids names none, but for one in 65,536 whose nonce looks like it.
fn key_of(sealed: &[u8]) -> Option<KeyId> {
    sealed.strip_prefix(MAGIC)?.first_chunk().map(|id| KeyId(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_needs_the_master_key() {
        let (one, two) = (Sealer::new(&MasterKey::from([1; 32])), Sealer::new(&MasterKey::from([2; 32])));
        let digest = one.keyed_digest(b"hunter2");
        assert_eq!(Sealer::new(&MasterKey::from([1; 32])).keyed_digest(b"hunter2"), digest, "also after a restart");
        assert_ne!(one.keyed_digest(b"hunter3"), digest);
        assert_ne!(two.keyed_digest(b"hunter2"), digest);
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_own_row_and_key() {
        let (sealer, other) = (Sealer::new(&MasterKey::from([1; 32])), Sealer::new(&MasterKey::from([2; 32])));
        let sealed = sealer.seal("runner:1", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(sealer.open("runner:1", &sealed).unwrap().as_slice(), b"secret");
        assert!(matches!(sealer.open("runner:2", &sealed), Err(SealError::Unopenable { .. })));
        assert!(sealer.open("runner:1", &sealed[..20]).is_err());
        assert!(sealer.has_sealed(&sealed) && !other.has_sealed(&sealed));
        let refused = other.open("runner:1", &sealed).unwrap_err().to_string();
        assert!(refused.contains(&sealer.key_id().to_string()) && refused.contains(&other.key_id().to_string()));
    }

    #[test]
    fn a_value_of_before_key_ids_opens_also_when_its_nonce_looks_like_one() {
        let sealer = Sealer::new(&MasterKey::from([1; 32]));
        for nonce in [[7; NONCE_BYTES], *b"S1......................"] {
            let payload = Payload { msg: b"secret", aad: b"runner:1" };
            let body = sealer.cipher.encrypt(&XNonce::from(nonce), payload).unwrap();
            let sealed = [nonce.as_slice(), &body].concat();
            assert_eq!(sealer.open("runner:1", &sealed).unwrap().as_slice(), b"secret");
            assert!(!sealer.has_sealed(&sealed));
        }
    }
}
