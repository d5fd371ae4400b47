//! A token as text: its kind (`shye_`, `shyu_`, `shym_`), then 24 random bytes and 3 of a checksum, in URL-safe base64.
//!
//! The prefix says which kind of secret it is, to people and to programs that look for leaked ones:
//! `shy[eum]_[A-Za-z0-9_-]{36}`. The checksum tells a mistyped or cut token from one that is not known, without asking the
//! store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const RANDOM_BYTES: usize = 24;
const CHECK_BYTES: usize = 3;
/// What is kept readable: the kind, and 24 of the 192 random bits.
const SHOWN: usize = 9;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenText {
    /// One host becomes a runner.
    Enrolment,
    /// A person uses the API.
    User,
    /// A program uses the API.
    Machine,
}

impl TokenText {
    const ALL: [Self; 3] = [Self::Enrolment, Self::User, Self::Machine];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Enrolment => "shye_",
            Self::User => "shyu_",
            Self::Machine => "shym_",
        }
    }

    /// Returns a new token; `None` when the system gives no random bytes.
    pub(super) fn make(self) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
        getrandom::fill(bytes.as_mut()).ok()?;
        Some(self.write(&bytes))
    }

    fn write(self, random: &[u8; RANDOM_BYTES]) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&random[..], &self.checksum(random)].concat());
        Zeroizing::new(format!("{}{}", self.prefix(), URL_SAFE_NO_PAD.encode(&*bytes)))
    }

    fn checksum(self, random: &[u8]) -> Vec<u8> {
        let digest = Sha256::new_with_prefix(self.prefix()).chain_update(random).finalize();
        digest.iter().copied().take(CHECK_BYTES).collect()
    }

    /// The kind that the text says it is; whether it is a whole one is another question.
    pub(super) fn named_by(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))
    }

    /// Tells whether the text can be such a token: its kind, length and checksum are right.
    pub(super) fn is_whole(self, text: &str) -> bool {
        let rest = text.strip_prefix(self.prefix());
        let bytes = rest.and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok()).map(Zeroizing::new);
        bytes.is_some_and(|bytes| {
            bytes.len() == RANDOM_BYTES + CHECK_BYTES && {
                let (random, check) = bytes.split_at(RANDOM_BYTES);
                self.checksum(random) == check
            }
        })
    }
}

/// What is stored of a token.
pub(super) fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// What is shown of a token.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_kind_192_random_bits_and_a_checksum() {
        for (kind, prefix) in
            [(TokenText::Enrolment, "shye_"), (TokenText::User, "shyu_"), (TokenText::Machine, "shym_")]
        {
            let (one, other) = (kind.make().unwrap(), kind.make().unwrap());
            assert!(kind.is_whole(&one) && kind.is_whole(&other) && one != other);
            assert_eq!((one.len(), shown(&one).len()), (41, 9));
            assert!(one.starts_with(prefix) && one.starts_with(&shown(&one)));
            assert_eq!(TokenText::named_by(&one), Some(kind));
        }
        assert_eq!(TokenText::named_by("shy_AAAA"), None);
    }

    #[test]
    fn one_wrong_letter_anywhere_is_noticed() {
        let token = TokenText::User.write(&[7; RANDOM_BYTES]);
        assert!(TokenText::User.is_whole(&token));
        for place in 0..token.len() {
            let mut letters: Vec<char> = token.chars().collect();
            letters[place] = if letters[place] == 'x' { 'y' } else { 'x' };
            let wrong: String = letters.into_iter().collect();
            assert!(TokenText::ALL.iter().all(|kind| !kind.is_whole(&wrong)), "letter {place}");
        }
        for cut in 0..token.len() {
            assert!(!TokenText::User.is_whole(&token[..cut]), "cut at {cut}");
        }
        for bad in [&format!("{}A", *token), &token.replace("shyu_", "shym_"), "shy_AAAA", "shyu_ä", " ", "\0"] {
            assert!(!TokenText::ALL.iter().any(|kind| kind.is_whole(bad)), "{bad}");
        }
    }
}
