//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Faults beyond this number are counted, not listed: a hostile file must not cause a huge answer.
pub(crate) const MAX_FAULTS: usize = 200;

/// Characters of the file, or of a key, that one fault quotes.
const MAX_QUOTED_CHARS: usize = 80;

/// One fault of a config.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Fault {
    /// JSON path, as in `job_dispatch.filters.unit[1].os`; `$` is the whole document.
    pub path: String,
    /// One sentence without a full stop.
    pub message: String,
    /// The offending piece as it stands in the file, at most 80 characters; `nothing` when a key is
    /// missing, `end of file` when the text stops too early.
    pub found: String,
    /// Words, or descriptions of a shape, that would have been right.
    pub allowed: Vec<String>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The allowed word that was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// One line: `3:14: skip_phases[0]: unknown phase; found "Unit"; did you mean `unit`? (allowed: …)`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}; found {}", self.line, self.column, self.path, self.message, self.found)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed.join(", "))?;
        }
        Ok(())
    }
}

/// The way from the top of the document to a value; borrowed, so that a correct file costs no allocation.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub(crate) const fn key(&'p self, key: &'p str) -> Self {
        Self::Key(self, key)
    }

    pub(crate) const fn index(&'p self, index: usize) -> Self {
        Self::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                let is_plain = !key.is_empty() && key.len() <= MAX_QUOTED_CHARS && key.chars().all(plain);
                match (is_plain, parent) {
                    (true, Self::Root) => f.write_str(key),
                    (true, _) => write!(f, "{parent}.{key}"),
                    (false, _) => write!(f, "{parent}[{:?}]", quoted(key)),
                }
            }
        }
    }
}

/// The faults of one text, in the order in which they are found.
pub(crate) struct Faults<'t> {
    text: &'t str,
    list: Vec<Fault>,
    unlisted: usize,
}

impl<'t> Faults<'t> {
    pub(crate) const fn of(text: &'t str) -> Self {
        Self { text, list: Vec::new(), unlisted: 0 }
    }

    /// Adds a fault about the piece of text at `span`, in bytes.
    pub(crate) fn add(&mut self, path: &Path<'_>, span: &Range<usize>, message: impl fmt::Display, allowed: &[&str]) {
        self.push(path, span, None, &message, allowed, None);
    }

    /// Adds a fault about a key that is not there; `span` is the object that lacks it.
    pub(crate) fn missing(&mut self, path: &Path<'_>, span: &Range<usize>, allowed: &[&str]) {
        self.push(path, span, Some("nothing"), &"this key is required", allowed, None);
    }

    /// Adds a fault about `word`, which is none of `allowed`, with the nearest of them.
    pub(crate) fn unknown(
        &mut self,
        path: &Path<'_>,
        span: &Range<usize>,
        message: impl fmt::Display,
        word: &str,
        allowed: &[&str],
    ) {
        // The search costs more than the rest of a fault: not for those that are only counted.
        let nearest = if self.list.len() < MAX_FAULTS { nearest(word, allowed) } else { None };
        self.push(path, span, None, &message, allowed, nearest);
    }

    /// Adds a fault about a value that is not `allowed`, with what was probably meant.
    pub(crate) fn refused(
        &mut self,
        path: &Path<'_>,
        span: &Range<usize>,
        message: impl fmt::Display,
        allowed: &str,
        nearest: Option<&str>,
    ) {
        self.push(path, span, None, &message, &[allowed], nearest);
    }

    /// Every fault in the order of the text; empty for a correct one.
    pub(crate) fn into_sorted(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| (fault.line, fault.column));
        if self.unlisted > 0 {
            let (message, end) = (format!("{} more faults are not listed", self.unlisted), self.text.len());
            let last = self.fault(&Path::Root, &(end..end), Some("too many faults"), &message, &[], None);
            self.list.push(last);
        }
        self.list
    }

    /// Faults so far, those that are only counted included.
    pub(crate) const fn len(&self) -> usize {
        self.list.len() + self.unlisted
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn push(
        &mut self,
        path: &Path<'_>,
        span: &Range<usize>,
        found: Option<&str>,
        message: &dyn fmt::Display,
        allowed: &[&str],
        nearest: Option<&str>,
    ) {
        if self.list.len() < MAX_FAULTS {
            let fault = self.fault(path, span, found, message, allowed, nearest);
            self.list.push(fault);
        } else {
            self.unlisted += 1;
        }
    }

    fn fault(
        &self,
        path: &Path<'_>,
        span: &Range<usize>,
        found: Option<&str>,
        message: &dyn fmt::Display,
        allowed: &[&str],
        nearest: Option<&str>,
    ) -> Fault {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let found = found.map_or_else(|| self.source(span), Into::into);
        Fault {
            path: path.to_string(),
            message: message.to_string(),
            found,
            allowed: allowed.iter().map(|word| (*word).into()).collect(),
            line: count(before.matches('\n').count()),
            column: count(before.get(line_start..).unwrap_or_default().chars().count()),
            nearest: nearest.map(Into::into),
        }
    }

    /// The piece of text at `span`, on one line.
    fn source(&self, span: &Range<usize>) -> String {
        match self.text.get(span.clone()) {
            None | Some("") => "end of file".into(),
            Some(piece) => quoted(piece),
        }
    }
}

/// `text` cut to 80 characters and without line breaks or other control characters.
fn quoted(text: &str) -> String {
    let mut quoted: String =
        text.chars().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        quoted.push('…');
    }
    quoted
}

/// The word that `found` most likely stands for: at most a third of its letters differ, letter case
/// and `-` for `_` aside.
pub(crate) fn nearest<'w>(found: &str, allowed: &[&'w str]) -> Option<&'w str> {
    let found: String = found.chars().take(MAX_QUOTED_CHARS).collect::<String>().to_lowercase().replace('-', "_");
    let letters = found.chars().count();
    let limit = |word: &str| (word.len() / 3).max(1);
    // A word that much shorter or longer cannot be near; of thousands of names most are left out by this.
    let comparable = |word: &&&str| word.chars().count().abs_diff(letters) <= limit(word);
    let distance = |word: &str| strsim::damerau_levenshtein(&found, &word.to_lowercase());
    let (distance, word) =
        allowed.iter().filter(comparable).map(|word| (distance(word), *word)).min_by_key(|(distance, _)| *distance)?;
    (distance <= limit(word)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_like_json_paths_and_quote_odd_keys() {
        let (unit, odd) = (Path::Root.key("unit"), Path::Root.key("a.b\n"));
        assert_eq!(Path::Root.to_string(), "$");
        assert_eq!(unit.index(1).key("os").to_string(), "unit[1].os");
        assert_eq!(odd.key("").to_string(), r#"$["a.b "][""]"#);
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut faults = Faults::of("{\n  \"ä\": x\n}");
        faults.add(&Path::Root, &(10..11), "no value", &[]);
        let fault = faults.into_sorted().remove(0);
        assert_eq!((fault.line, fault.column, fault.found.as_str()), (2, 8, "x"));
    }

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let words = ["unit", "syntax", "platform_family", "os"];
        for (found, expected) in [
            ("Unit", Some("unit")),
            ("unti", Some("unit")),
            ("platform-family", Some("platform_family")),
            ("platfrom_familly", Some("platform_family")),
            ("OS", Some("os")),
            ("deploy", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, &words), expected, "{found}");
        }
    }

    #[test]
    fn faults_beyond_the_limit_are_counted() {
        let mut faults = Faults::of("{}");
        for _ in 0..MAX_FAULTS + 3 {
            faults.add(&Path::Root, &(0..2), "wrong", &[]);
        }
        let faults = faults.into_sorted();
        assert_eq!(faults.len(), MAX_FAULTS + 1);
        assert_eq!(faults.last().unwrap().message, "3 more faults are not listed");
    }
}
