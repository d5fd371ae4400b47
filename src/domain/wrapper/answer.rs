//! How a bootstrap script answers: after the marker line, `word text` lines up to `eol`.

use crate::wire::control::after_marker;
use crate::wire::frame::{Nonce, quoted};

/// An answer that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("the host did not run the script: there is no answer on its standard output")]
    NoMarker,
    #[error("the answer is cut off")]
    Truncated,
    #[error("the answer lacks `{0}`")]
    Missing(&'static str),
    #[error("the answer `{0}` is not understood")]
    Line(String),
}

/// The lines after the marker as (word, text), up to `eol`, and whether `eol` was there.
pub(super) fn lines(stdout: &[u8], nonce: &Nonce) -> Result<(Vec<(String, String)>, bool), BadAnswer> {
    let start = after_marker(nonce, stdout).ok_or(BadAnswer::NoMarker)?;
    let text = String::from_utf8_lossy(stdout.get(start..).unwrap_or_default());
    let mut lines = Vec::new();
    for line in text.lines() {
        if line == "eol" {
            return Ok((lines, true));
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        lines.push((word.to_owned(), rest.trim().to_owned()));
    }
    Ok((lines, false))
}

/// Like `lines`, for answers of which a part is of no use.
pub(super) fn whole_lines(stdout: &[u8], nonce: &Nonce) -> Result<Vec<(String, String)>, BadAnswer> {
    match lines(stdout, nonce)? {
        (lines, true) => Ok(lines),
        (_, false) => Err(BadAnswer::Truncated),
    }
}

/// Puts `name='value'` lines in front of `parts`.
pub(super) fn script(values: &[(&str, &str)], parts: &[&str]) -> String {
    let mut text = String::new();
    for (name, value) in values {
        text.push_str(&format!("{name}={}\n", quoted(value)));
    }
    text.push_str(include_str!("bootstrap/answer.sh"));
    parts.iter().for_each(|part| text.push_str(part));
    text
}
