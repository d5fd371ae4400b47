//! What proves who we are: passwords for a bootstrap, keys for everything else.

use std::sync::Arc;

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{self, PrivateKey};
use zeroize::Zeroizing;

use super::error::KeyError;

/// Proves who we are to a host.
#[derive(Clone)]
pub enum Credential {
    /// Tried as `password`; where the host has only keyboard-interactive, as the answer to its one hidden prompt.
    Password(Zeroizing<String>),
    Key(Arc<PrivateKey>),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method())
    }
}

impl Credential {
    /// The word for people.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Key(_) => "key",
        }
    }
}

/// Makes the ed25519 key pair of one runner: the private key as OpenSSH text, and the public line, which ends in
/// `job_runner@HOST` and a newline.
///
/// # Errors
/// `KeyError::Random` when the system's random source fails, `KeyError::Encode` never in practice.
pub fn generate_runner_key(hostname: &str) -> Result<(Zeroizing<String>, String), KeyError> {
    generate_key(&format!("job_runner@{hostname}"))
}

/// As `generate_runner_key`, with another comment at the end of the public line.
///
/// # Errors
/// As `generate_runner_key`.
pub fn generate_key(comment: &str) -> Result<(Zeroizing<String>, String), KeyError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, comment).map_err(|_| KeyError::Encode)?;
    let private = key.to_openssh(LineEnding::LF).map_err(|_| KeyError::Encode)?;
    let public = key.public_key().to_openssh().map_err(|_| KeyError::Encode)?;
    Ok((Zeroizing::new(private.to_string()), format!("{public}\n")))
}

/// Reads a private key from its text (OpenSSH, PEM or PKCS#8), opening it with `passphrase` where it is protected.
///
/// # Errors
/// One variant of `KeyError` per reason that a person can act on.
pub fn load_private_key(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, KeyError> {
    let passphrase = passphrase.filter(|p| !p.is_empty());
    keys::decode_secret_key(text, passphrase).map_err(|error| match error {
        keys::Error::KeyIsEncrypted => KeyError::PassphraseMissing,
        keys::Error::UnsupportedKeyType { key_type_string, .. } => KeyError::Unsupported(key_type_string),
        keys::Error::SshKey(ssh_key::Error::AlgorithmUnsupported { algorithm }) => {
            KeyError::Unsupported(algorithm.to_string())
        }
        keys::Error::SshKey(ssh_key::Error::Crypto) if passphrase.is_some() => KeyError::PassphraseWrong,
        keys::Error::Unpad(_) | keys::Error::Pkcs8(_) if passphrase.is_some() => KeyError::PassphraseWrong,
        _ => KeyError::NotAKey,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::LineEnding;

    #[test]
    fn a_runner_key_reads_back_and_names_its_runner() {
        let (private, public) = generate_runner_key("build-1.example.com").expect("a key");
        assert!(
            public.starts_with("ssh-ed25519 ") && public.ends_with(" job_runner@build-1.example.com\n"),
            "{public}"
        );
        let read = load_private_key(&private, None).expect("readable");
        assert_eq!(format!("{}\n", read.public_key().to_openssh().expect("a line")), public);
        assert_ne!(generate_runner_key("x").expect("a key").0, private);
    }

    #[test]
    fn a_key_that_cannot_be_used_says_what_is_missing() {
        let (private, _) = generate_runner_key("h").expect("a key");
        let key = load_private_key(&private, None).expect("readable");
        let mut salt = [7_u8; 16];
        getrandom::fill(&mut salt).expect("random");
        let kdf = ssh_key::Kdf::Bcrypt { salt: salt.to_vec(), rounds: 1 };
        let locked = key
            .encrypt_with(ssh_key::Cipher::Aes256Ctr, kdf, 7, "open sesame")
            .expect("encrypts")
            .to_openssh(LineEnding::LF)
            .expect("text");
        assert_eq!(load_private_key(&locked, None).err(), Some(KeyError::PassphraseMissing));
        assert_eq!(load_private_key(&locked, Some("")).err(), Some(KeyError::PassphraseMissing));
        assert_eq!(load_private_key(&locked, Some("wrong")).err(), Some(KeyError::PassphraseWrong));
        assert!(load_private_key(&locked, Some("open sesame")).is_ok());
        assert_eq!(load_private_key("ssh-ed25519 AAAA", None).err(), Some(KeyError::NotAKey));
        assert_eq!(format!("{:?}", Credential::Password(Zeroizing::new("hunter2".to_owned()))), "password");
    }
}
