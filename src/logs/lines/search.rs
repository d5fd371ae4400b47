//! Words in a log's lines.

use memchr::memmem::Finder;
use shuntyard_domain::ids::AttemptId;

use super::index::Place;
use super::screen::plain;
use super::window::Window;
use super::{Looked, Wanted};
use crate::logs::{LogError, LogStore};

/// What one search looks at; the next one goes on behind it.
const SEARCHED_BYTES: u64 = 8 * 1024 * 1024;
/// Of a longer line only the beginning is looked at.
const LINE_BYTES: u64 = 16 * 1024 * 1024;
/// A long line is looked at in pieces that overlap by more than any words are long.
const PIECE_BYTES: u64 = 128 * 1024;
const OVERLAP_BYTES: u64 = 4 * 1024;
/// Lines that are looked up at once.
const BLOCK_LINES: u64 = 4096;
/// Characters of a line that are told around what was found.
const BEFORE_CHARS: usize = 80;
const TOLD_CHARS: usize = 400;

/// What is looked for: plain text, within one line as it is shown.
#[derive(Clone, Debug)]
pub struct Words {
    finder: Finder<'static>,
    ignore_case: bool,
}

impl Words {
    #[must_use]
    pub fn new(text: &str, ignore_case: bool) -> Self {
        let text = if ignore_case { text.to_lowercase() } else { text.to_owned() };
        Self { finder: Finder::new(text.as_bytes()).into_owned(), ignore_case }
    }

    /// The text around the first place where they stand.
    fn find(&self, text: &str) -> Option<String> {
        let folded = self.ignore_case.then(|| text.to_lowercase());
        let searched = folded.as_deref().unwrap_or(text);
        let at = self.finder.find(searched.as_bytes())?;
        let begin = searched.get(..at).map_or(0, |before| before.chars().count()).saturating_sub(BEFORE_CHARS);
        Some(text.chars().skip(begin).take(TOLD_CHARS).collect())
    }
}

/// A line in which the words stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Counts from 0.
    pub number: u64,
    pub offset: u64,
    pub text: String,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Lines of the log.
    pub total: u64,
    pub matches: Vec<Match>,
    /// The first line that was not looked at; `None`: all were.
    pub next: Option<u64>,
}

impl LogStore {
    /// Looks for `words` from line `from` on, until it has `limit` matches or has looked at enough for one request.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn search(&self, attempt: AttemptId, words: &Words, from: u64, limit: usize) -> Result<Matches, LogError> {
        let Some(looked) = self.look(attempt)? else { return Ok(Matches::default()) };
        let searched_bytes = |place: &Place| (place.found.end - place.found.start).min(LINE_BYTES) + 1;
        let (mut found, mut next, mut left) = (Matches::default(), from, SEARCHED_BYTES);
        loop {
            let located = looked.locate(Wanted::From(next), BLOCK_LINES, left, searched_bytes)?;
            found.total = located.total;
            let matches = looked.find(words, &located.places).map_err(|source| looked.fault("read", source))?;
            if !looked.is_unchanged(&located)? {
                // These lines have other numbers now.
                continue;
            }
            left = left.saturating_sub(located.places.iter().map(searched_bytes).sum());
            found.matches.extend(matches);
            let Some(last) = located.places.last() else { return Ok(found) };
            next = last.line + 1;
            if found.matches.len() >= limit {
                found.matches.truncate(limit);
                next = found.matches.last().map_or(next, |last| last.number + 1);
            } else if left > 0 {
                continue;
            }
            found.next = (next < found.total).then_some(next);
            return Ok(found);
        }
    }
}

impl Looked<'_> {
    fn find(&self, words: &Words, places: &[Place]) -> std::io::Result<Vec<Match>> {
        let (mut window, mut matches) = (Window::new(&self.file), Vec::new());
        for place in places.iter().filter(|place| !place.is_elided) {
            let (offset, end) = (place.found.start, place.found.end.min(place.found.start + LINE_BYTES));
            let mut begin = offset;
            loop {
                let piece = window.read(begin, end.min(begin + PIECE_BYTES))?;
                if let Some(text) = words.find(&plain(piece)) {
                    matches.push(Match { number: place.line, offset, text });
                    break;
                }
                if begin + PIECE_BYTES >= end {
                    break;
                }
                begin += PIECE_BYTES - OVERLAP_BYTES;
            }
        }
        Ok(matches)
    }
}
