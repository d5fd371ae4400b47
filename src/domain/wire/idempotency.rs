//! `Idempotency-Key`: how a client that repeats a POST says that it is the same one.

use serde::{Deserialize, Serialize};

/// The header of a POST that makes something.
pub const KEY_HEADER: &str = "idempotency-key";
/// `true` in an answer that repeats what an earlier request has made.
pub const REPLAYED_HEADER: &str = "idempotent-replayed";
/// The longest key.
pub const MAX_KEY: usize = 255;
/// What an earlier request has made, in the answer to a repetition; the secret was told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Repeated<T> {
    /// Always true.
    pub secret_withheld: bool,
    #[serde(flatten)]
    pub about: T,
}

/// The stable code of the answer to a repetition while the first request is still being carried out.
pub const UNDER_WAY: &str = "idempotency_key_in_use";

/// Tells whether a text can be a key: 1 to 255 printable ASCII characters without spaces.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_printable() {
        for good in ["x", "8e03978e-40d5-43e8-bc93-6894a57f9324", "build/17#a", &"k".repeat(MAX_KEY)] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", " ", "a b", "a\n", "ä", &"k".repeat(MAX_KEY + 1)] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
