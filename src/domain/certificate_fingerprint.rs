//! How people and programs name a certificate: the SHA-256 of its DER form.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

const PREFIX: &str = "SHA256:";

/// The SHA-256 of a certificate; computed outside the core. Written as host keys are: `SHA256:` and 43 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateFingerprint([u8; 32]);

/// The text names no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fingerprint: SHA256: and 43 characters, as `shuntd fingerprint` prints it, or openssl's pairs of digits"
)]
pub struct BadFingerprint;

impl CertificateFingerprint {
    /// The bytes of a finished SHA-256.
    #[must_use]
    pub const fn of_sha256(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CertificateFingerprint {
    type Err = BadFingerprint;

    /// Reads our form, with or without `=` behind it, and that of `openssl x509 -fingerprint -sha256`: 64 hexadecimal digits,
    /// with or without colons.
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let text = text.trim();
        let bytes = match text.strip_prefix(PREFIX) {
            Some(base64) if base64.ends_with('=') => STANDARD.decode(base64).ok(),
            Some(base64) => STANDARD_NO_PAD.decode(base64).ok(),
            None => hexadecimal(text.rsplit('=').next().unwrap_or_default()),
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(BadFingerprint)
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks(2).map(|pair| Some((value(*pair.first()?)? << 4) | value(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written_here_and_by_openssl() {
        let known = CertificateFingerprint::of_sha256(std::array::from_fn(|n| u8::try_from(n * 8).unwrap()));
        let text = known.to_string();
        assert!(text.starts_with("SHA256:") && text.len() == 50, "{text}");
        let pairs: Vec<String> = (0..32).map(|n| format!("{:02X}", n * 8)).collect();
        for same in [
            text.clone(),
            format!(" {text}=\n"),
            pairs.concat().to_lowercase(),
            format!("sha256 Fingerprint={}", pairs.join(":")),
        ] {
            assert_eq!(same.parse(), Ok(known), "{same}");
        }
        for bad in ["", "SHA256:", "SHA256:x", &text[..40], &text.replace("SHA256", "MD5"), &pairs[1..].concat()] {
            assert_eq!(bad.parse::<CertificateFingerprint>(), Err(BadFingerprint), "{bad}");
        }
    }
}
