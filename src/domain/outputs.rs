//! What a job says in the file that `$SHUNT_OUTPUT` names: lines `KEY=VALUE`.
//!
//! Never taken from what it prints. All of the file is good, or none of it is kept.

use std::collections::BTreeMap;

/// A longer file is refused.
pub const MAX_OUTPUTS_BYTES: usize = 64 << 10;
const MAX_KEYS: usize = 100;
const MAX_KEY_BYTES: usize = 100;
const MAX_VALUE_BYTES: usize = 4 << 10;

/// Why a file of outputs is not kept. Jobs do not fail of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOutputs {
    #[error("the file has more than {MAX_OUTPUTS_BYTES} bytes")]
    TooLarge,
    #[error("line {line} is not UTF-8")]
    NotText { line: usize },
    #[error("line {line} is `{found}`; allowed is KEY=VALUE")]
    NoPair { line: usize, found: String },
    #[error(
        "line {line} has the key `{found}`; allowed are up to {MAX_KEY_BYTES} letters, digits, `_`, `.` and `-`, first a letter or `_`"
    )]
    Key { line: usize, found: String },
    #[error("line {line} has a value of {found} bytes; allowed are {MAX_VALUE_BYTES}")]
    LongValue { line: usize, found: usize },
    #[error("line {line} has a control character in its value; allowed is one line of text")]
    ControlCharacter { line: usize },
    #[error("there are more than {MAX_KEYS} keys")]
    TooManyKeys,
}

/// Reads the file. Empty lines mean nothing; of a key that comes twice the last value counts.
///
/// # Errors
/// `BadOutputs` for the first line that cannot be taken.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, BadOutputs> {
    if bytes.len() > MAX_OUTPUTS_BYTES {
        return Err(BadOutputs::TooLarge);
    }
    let mut outputs = BTreeMap::new();
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().map(|(n, text)| (n + 1, text));
    for (line, text) in lines.filter(|(_, text)| !text.is_empty()) {
        let text = std::str::from_utf8(text).map_err(|_| BadOutputs::NotText { line })?;
        let (key, value) = text.split_once('=').ok_or_else(|| BadOutputs::NoPair { line, found: shown(text) })?;
        if !is_key(key) {
            return Err(BadOutputs::Key { line, found: shown(key) });
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(BadOutputs::LongValue { line, found: value.len() });
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(BadOutputs::ControlCharacter { line });
        }
        outputs.insert(key.to_owned(), value.to_owned());
        if outputs.len() > MAX_KEYS {
            return Err(BadOutputs::TooManyKeys);
        }
    }
    Ok(outputs)
}

fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_KEY_BYTES
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// What a sentence may quote of a job's file.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
