//! An enrolment token as text: `shye_`, then 24 random bytes and 3 of a checksum, in URL-safe base64.
//!
//! The prefix says which kind of secret it is, to people and to programs that look for leaked ones. The checksum tells a
//! mistyped token from one that is not known, without asking the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "shye_";
const RANDOM_BYTES: usize = 24;
const CHECK_BYTES: usize = 3;
/// What is kept readable: the kind, and 24 of the 192 random bits.
const SHOWN: usize = 9;

/// Returns a new token; `None` when the system gives no random bytes.
pub(super) fn make() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
    getrandom::fill(bytes.as_mut()).ok()?;
    Some(write(&bytes))
}

fn write(random: &[u8; RANDOM_BYTES]) -> Zeroizing<String> {
    let bytes = Zeroizing::new([&random[..], &checksum(random)].concat());
    Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes)))
}

fn checksum(random: &[u8]) -> Vec<u8> {
    let digest = Sha256::new_with_prefix(PREFIX).chain_update(random).finalize();
    digest.iter().copied().take(CHECK_BYTES).collect()
}

/// Tells whether the text can be a token: its kind, length and checksum are right.
pub(super) fn is_whole(text: &str) -> bool {
    let bytes = text.strip_prefix(PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok()).map(Zeroizing::new);
    bytes.is_some_and(|bytes| {
        bytes.len() == RANDOM_BYTES + CHECK_BYTES && {
            let (random, check) = bytes.split_at(RANDOM_BYTES);
            checksum(random) == check
        }
    })
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
        let (one, other) = (make().unwrap(), make().unwrap());
        assert!(is_whole(&one) && is_whole(&other) && one != other);
        assert_eq!((one.len(), shown(&one).len()), (41, 9));
        assert!(one.starts_with("shye_") && one.starts_with(&shown(&one)));
    }

    #[test]
    fn one_wrong_letter_anywhere_is_noticed() {
        let token = write(&[7; RANDOM_BYTES]);
        assert!(is_whole(&token));
        for place in 0..token.len() {
            let mut letters: Vec<char> = token.chars().collect();
            letters[place] = if letters[place] == 'x' { 'y' } else { 'x' };
            assert!(!is_whole(&letters.into_iter().collect::<String>()), "letter {place}");
        }
        for bad in ["", "shye_", &token[..40], &format!("{}A", *token), "shy_AAAA", "shye_ä"] {
            assert!(!is_whole(bad), "{bad}");
        }
    }
}
