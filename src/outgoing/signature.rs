//! Signatures of Standard Webhooks (<https://www.standardwebhooks.com>), so that receivers find a library that checks them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
/// What we make; the specification allows 24 to 64.
const MADE_BYTES: usize = 32;

/// A secret that caller and receiver share. `Debug` hides it, and it is wiped from memory after use.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<Vec<u8>>);

/// Not a signing secret, or none could be made. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("not a signing secret: whsec_ and 24 to 64 bytes in base64")]
    NotASecret,
    #[error("the system's random source failed")]
    Random,
}

impl SigningSecret {
    /// Makes one of 256 random bits.
    ///
    /// # Errors
    /// `BadSecret::Random` when the system gives no random bytes.
    pub fn generate() -> Result<Self, BadSecret> {
        let mut bytes = Zeroizing::new(vec![0; MADE_BYTES]);
        getrandom::fill(&mut bytes).map_err(|_| BadSecret::Random)?;
        Ok(Self(bytes))
    }

    /// Reads `whsec_BASE64`.
    ///
    /// # Errors
    /// `BadSecret::NotASecret`
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let coded = text.strip_prefix(PREFIX).ok_or(BadSecret::NotASecret)?;
        let bytes = Zeroizing::new(STANDARD.decode(coded).map_err(|_| BadSecret::NotASecret)?);
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(BadSecret::NotASecret) }
    }

    /// The secret as `whsec_BASE64`, to be shown once and sealed.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let coded = Zeroizing::new(STANDARD.encode(self.0.as_slice()));
        Zeroizing::new([PREFIX, &coded].concat())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// The header `webhook-signature` of a message: `v1,BASE64(HMAC-SHA256(secret, "ID.SECONDS.BODY"))`.
#[must_use]
pub fn signature(secret: &SigningSecret, message_id: &str, timestamp_s: i64, body: &[u8]) -> String {
    // Any length is a key to HMAC; the error is for other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret.0) else { return String::new() };
    mac.update(format!("{message_id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
