//! The secret by which a runner of the system mode is removed from its host.
//!
//! Jobs run under the same account as the runner's own connection, so that account may start the program that removes
//! the runner. What tells the dispatcher from a job is a secret that is derived from the runner's private key: it is
//! kept nowhere, changes with the key, and the host has only its SHA-256.

use sha2::{Digest as _, Sha256};
use shuntyard_domain::ids::RunnerId;
use zeroize::Zeroizing;

use super::keeper::key_context;
use super::{DispatchError, Dispatcher};
use crate::store::runner_sealed_key;

/// Returns the secret that belongs to a private key's text: 64 hexadecimal digits, from which the key cannot be had.
pub(super) fn retire_secret(private_key: &[u8]) -> Zeroizing<String> {
    let mut hash = Sha256::new_with_prefix(b"shuntyard retire 1\0");
    hash.update(private_key);
    Zeroizing::new(hexadecimal(&hash.finalize()))
}

/// What the host is given: it checks the secret with it and cannot make the secret from it.
pub(super) fn retire_hash(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret.as_bytes()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Dispatcher {
    /// The secret of a stored runner.
    ///
    /// # Errors
    /// `NoRunner` when its record is gone, `Store` and `Seal` when its key cannot be read.
    pub(super) async fn stored_retire_secret(&self, id: RunnerId) -> Result<Zeroizing<String>, DispatchError> {
        let sealed = self.0.store.read(move |c| runner_sealed_key(c, id)).await?;
        let sealed = sealed.ok_or_else(|| DispatchError::NoRunner(id.to_string()))?;
        Ok(retire_secret(&self.0.sealer.open(&key_context(id), &sealed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_and_its_hash_tell_nothing_of_each_other_and_change_with_the_key() {
        let (one, other) = (retire_secret(b"key"), retire_secret(b"other key"));
        assert_ne!(one, other);
        assert_eq!(one, retire_secret(b"key"));
        let hash = retire_hash(&one);
        assert!(one.len() == 64 && hash.len() == 64 && *one != hash, "{hash}");
    }
}
