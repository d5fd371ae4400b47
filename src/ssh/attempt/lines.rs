//! The control lines of a verb that talks: read from standard error as they come.

use std::collections::VecDeque;

use shuntyard_domain::wire::control::{Control, ErrCode, parse_control};
use shuntyard_domain::wire::frame::Nonce;

use super::VerbError;

/// What a host may say beside control lines.
const MAX_NOISE_BYTES: usize = 1 << 20;

/// Lines so far, and the words in them.
pub(super) struct ControlLines {
    at: String,
    nonce: Nonce,
    /// The unfinished line.
    line: Vec<u8>,
    words: VecDeque<Control>,
    noise_bytes: usize,
}

impl ControlLines {
    pub(super) const fn new(at: String, nonce: Nonce) -> Self {
        Self { at, nonce, line: Vec::new(), words: VecDeque::new(), noise_bytes: 0 }
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The next word, if it has come.
    pub(super) fn next(&mut self) -> Option<Control> {
        self.words.pop_front()
    }

    /// What the host has said last, for people.
    pub(super) fn last_words(&self) -> String {
        String::from_utf8_lossy(&self.line).trim().chars().take(300).collect()
    }

    /// # Errors
    /// `NoAnswer` for a line with our nonce and garbage behind it, and for noise without end.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), VerbError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.line);
            match parse_control(&self.nonce, &line).map_err(|bad| self.no_answer(bad.to_string()))? {
                Some(control) => self.words.push_back(control),
                None => match unknown_verb(&line) {
                    Some(control) => self.words.push_back(control),
                    None => self.noise(line.len())?,
                },
            }
        }
        if self.line.len() > MAX_NOISE_BYTES { Err(self.no_answer("a line without end".into())) } else { Ok(()) }
    }

    /// Counts bytes that mean nothing.
    ///
    /// # Errors
    /// `NoAnswer` when there are too many.
    pub(super) fn noise(&mut self, bytes: usize) -> Result<(), VerbError> {
        self.noise_bytes += bytes;
        if self.noise_bytes > MAX_NOISE_BYTES {
            return Err(self.no_answer("the host prints without end".into()));
        }
        Ok(())
    }

    pub(super) fn no_answer(&self, said: String) -> VerbError {
        VerbError::NoAnswer { at: self.at.clone(), said }
    }
}

/// A wrapper that does not know the verb does not know where the nonce stands either: it says `@0 err usage ...`.
fn unknown_verb(line: &[u8]) -> Option<Control> {
    let text = std::str::from_utf8(line).ok()?.trim_end().strip_prefix("@0 err usage ")?;
    Some(Control::Err { code: ErrCode::Usage, detail: text.chars().take(200).collect() })
}
