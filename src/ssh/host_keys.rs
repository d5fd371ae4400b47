//! Which host key is accepted; the check comes before our key signs anything.

use base64::Engine as _;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::error::ConnectError;

/// Says which host keys are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Exactly these, as `ALGORITHM BASE64` lines; a key of any other type is a mismatch too.
    Pinned(Vec<String>),
    /// The key with this `SHA256:…` fingerprint.
    Fingerprint(String),
    /// None: the attempt ends with the key that was shown, before authentication.
    Unknown,
}

/// Returns `SHA256:…` of an `ALGORITHM BASE64` line, as `ssh-keygen -l` prints it; `None` when it is not a key.
#[must_use]
pub fn fingerprint(key_line: &str) -> Option<String> {
    parse(key_line).map(|key| sha256(&key))
}

pub(super) fn sha256(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The `ALGORITHM BASE64` line of a key, without comment.
pub(super) fn line(key: &PublicKey) -> String {
    match key.to_bytes() {
        Ok(blob) => format!("{} {}", key.algorithm(), base64::engine::general_purpose::STANDARD.encode(blob)),
        Err(_) => String::new(),
    }
}

pub(super) fn parse(key_line: &str) -> Option<PublicKey> {
    let mut words = key_line.split_ascii_whitespace();
    let (algorithm, blob) = (words.next()?, words.next()?);
    PublicKey::from_openssh(&format!("{algorithm} {blob}")).ok()
}

impl HostKeyPolicy {
    /// The algorithms of the pinned keys, in their order.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Pinned(lines) => lines.iter().filter_map(|l| parse(l)).map(|key| key.algorithm()).collect(),
            Self::Fingerprint(_) | Self::Unknown => Vec::new(),
        }
    }

    /// Accepts the shown key or says why not.
    pub(super) fn check(&self, at: &str, shown: &PublicKey) -> Result<(), ConnectError> {
        let (key_type, found) = (shown.algorithm().to_string(), sha256(shown));
        let expected = match self {
            Self::Pinned(lines) => {
                if lines.iter().filter_map(|l| parse(l)).any(|pinned| pinned.key_data() == shown.key_data()) {
                    return Ok(());
                }
                lines.iter().map(|l| fingerprint(l).unwrap_or_else(|| "an unreadable pinned key".to_owned())).collect()
            }
            Self::Fingerprint(wanted) if wanted.trim().trim_end_matches('=') == found => return Ok(()),
            Self::Fingerprint(wanted) => vec![wanted.clone()],
            Self::Unknown => {
                return Err(ConnectError::HostKeyUnconfirmed { at: at.to_owned(), fingerprint: found, key_type });
            }
        };
        Err(ConnectError::HostKeyMismatch { at: at.to_owned(), fingerprint: found, key_type, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBDrvKDAVVKNmy1gfDVGzQYxWbjYhfV0hs9fSX2FUmLx";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINGyU5lVI8SrHcJGS8Qqg+zYqQnZmBEJeIHF6Zw5gqkx";

    #[test]
    fn only_a_pinned_key_or_its_fingerprint_is_accepted() {
        let shown = parse(&format!("{ONE} root@host")).expect("a key");
        assert_eq!(line(&shown), ONE);
        let pinned = |lines: &[&str]| HostKeyPolicy::Pinned(lines.iter().map(ToString::to_string).collect());
        assert_eq!(pinned(&[OTHER, ONE]).check("h:1", &shown), Ok(()));
        assert!(matches!(pinned(&[OTHER]).check("h:1", &shown), Err(ConnectError::HostKeyMismatch { .. })));
        assert!(matches!(pinned(&[]).check("h:1", &shown), Err(ConnectError::HostKeyMismatch { .. })));
        assert!(matches!(pinned(&["junk"]).check("h:1", &shown), Err(ConnectError::HostKeyMismatch { .. })));
        let found = fingerprint(ONE).expect("a fingerprint");
        assert_eq!(HostKeyPolicy::Fingerprint(format!("{found}=")).check("h:1", &shown), Ok(()));
        let wrong = HostKeyPolicy::Fingerprint("SHA256:x".to_owned()).check("h:1", &shown).expect_err("refused");
        assert!(wrong.to_string().contains(&found) && wrong.to_string().contains("SHA256:x"), "{wrong}");
        let unknown = HostKeyPolicy::Unknown.check("h:1", &shown).expect_err("refused");
        assert!(unknown.to_string().contains("h:1"), "{unknown}");
        assert_eq!(fingerprint("ssh-ed25519"), None);
    }
}
