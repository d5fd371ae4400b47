//! Reads JSON and keeps where each value stands.
//!
//! A recursive-descent reader of RFC 8259. It goes on after a slip that leaves no doubt (a comma too
//! many or too few, a bad escape, a repeated key), so that one check shows every fault of a file.

use std::collections::HashSet;

use super::fault::{Faults, Path};
use super::json::{Json, Member, Node};

/// Containers inside each other that a configuration may have; the document itself is the first.
const MAX_DEPTH: usize = 32;

/// Containers inside each other at which the reader gives up, to bound its stack.
const DEPTH_READ: usize = 100;

/// Reads `text` as one JSON document.
///
/// The answer is `None` when the text cannot be read to its end; `faults` then says where and why. With
/// an answer there may still be faults.
pub(super) fn read<'t>(text: &'t str, faults: &mut Faults<'t>) -> Option<Node> {
    let mut reader = Reader { text, at: 0, faults };
    let node = reader.value(&Path::Root, 1).ok()?;
    reader.space();
    if reader.at < text.len() {
        // What was read stands; there is nothing more to read anyway.
        let _: Result<(), Stop> = reader.stop(&Path::Root, "text follows the end of the document", &["end of file"]);
    }
    Some(node)
}

/// Reading cannot go on; the fault is recorded.
struct Stop;

struct Reader<'r, 't> {
    text: &'t str,
    /// The next byte.
    at: usize,
    faults: &'r mut Faults<'t>,
}

impl<'t> Reader<'_, 't> {
    fn value(&mut self, path: &Path<'_>, depth: usize) -> Result<Node, Stop> {
        self.space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => Json::Object(self.object(path, depth)?),
            Some(b'[') => Json::List(self.list(path, depth)?),
            Some(b'"') => Json::Text(self.string(path)?),
            Some(b'-' | b'0'..=b'9') => Json::Number(self.number(path)?),
            _ => self.word(path)?,
        };
        Ok(Node { span: start..self.at, value })
    }

    fn object(&mut self, path: &Path<'_>, depth: usize) -> Result<Vec<Member>, Stop> {
        self.enter(path, depth)?;
        let (mut members, mut seen) = (Vec::new(), HashSet::new());
        while self.more(path, b'}', members.is_empty())? {
            let key_start = self.at;
            if self.peek() != Some(b'"') {
                return self.stop(path, self.hint("a key in double quotes is expected"), &["\"", "}"]);
            }
            let key = self.string(path)?;
            let key_span = key_start..self.at;
            let path = path.key(&key);
            if !seen.insert(key.clone()) {
                self.faults.add(&path, &key_span, "this key is repeated in the same object", &["each key once"]);
            }
            self.space();
            if self.peek() != Some(b':') {
                return self.stop(&path, "a colon is expected after the key", &[":"]);
            }
            self.at += 1;
            let node = self.value(&path, depth + 1)?;
            members.push(Member { key, key_span, node });
        }
        Ok(members)
    }

    fn list(&mut self, path: &Path<'_>, depth: usize) -> Result<Vec<Node>, Stop> {
        self.enter(path, depth)?;
        let mut nodes = Vec::new();
        while self.more(path, b']', nodes.is_empty())? {
            let node = self.value(&path.index(nodes.len()), depth + 1)?;
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// Steps over the opening bracket.
    fn enter(&mut self, path: &Path<'_>, depth: usize) -> Result<(), Stop> {
        let bracket = self.at..self.at + 1;
        self.at += 1;
        if depth == MAX_DEPTH + 1 {
            let message = format!("values are nested more than {MAX_DEPTH} deep");
            self.faults.add(path, &bracket, message, &["32 levels"]);
        }
        if depth > DEPTH_READ { Err(Stop) } else { Ok(()) }
    }

    /// Steps over what stands between two elements, or over the closing bracket; tells whether an element follows.
    fn more(&mut self, path: &Path<'_>, close: u8, is_first: bool) -> Result<bool, Stop> {
        self.space();
        let comma = self.at..self.at + 1;
        let closing: &str = if close == b'}' { "}" } else { "]" };
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            _ if is_first => return Ok(true),
            Some(b',') => self.at += 1,
            Some(b'"' | b'{') => {
                self.faults.add(path, &comma, "a comma is missing before this", &[",", closing]);
                return Ok(true);
            }
            _ => return self.stop(path, self.hint("a comma or the closing bracket is expected"), &[",", closing]),
        }
        self.space();
        if self.peek() == Some(close) {
            self.faults.add(path, &comma, "a comma may not stand before the closing bracket", &[closing]);
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    fn word(&mut self, path: &Path<'_>) -> Result<Json, Stop> {
        const ALLOWED: &[&str] = &["{", "[", "a string", "a number", "true", "false", "null"];
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let value = match word {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            "" => return self.stop(path, self.hint("a value is expected"), ALLOWED),
            _ => {
                self.faults.unknown(path, &(self.at..self.at + length), "this word is no JSON value", word, ALLOWED);
                return Err(Stop);
            }
        };
        self.at += length;
        Ok(value)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`, and finite as a double.
    fn number(&mut self, path: &Path<'_>) -> Result<String, Stop> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
        let text = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len())).unwrap_or_default();
        let span = self.at..self.at + text.len();
        let is_right = is_number(text) && text.parse::<f64>().is_ok_and(f64::is_finite);
        if !is_right {
            self.faults.add(path, &span, "this is no JSON number", &["-12.5e3 and the like, without leading zeros"]);
        }
        self.at = span.end;
        Ok(text.into())
    }

    fn string(&mut self, path: &Path<'_>) -> Result<String, Stop> {
        let open = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            string.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => self.escape(path, &mut string),
                None | Some(b'\n' | b'\r') => {
                    self.faults.add(path, &(open..self.at), "this string is not closed on its line", &["\""]);
                    return Err(Stop);
                }
                Some(byte) => {
                    let message = format!("control character {byte:#04x} in a string must be written as an escape");
                    self.faults.add(path, &(self.at..self.at + 1), message, &["\\t", "\\u0001 and the like"]);
                    self.at += 1;
                }
            }
        }
    }

    /// Reads one escape, of which the backslash is next.
    fn escape(&mut self, path: &Path<'_>, string: &mut String) {
        let escaped = self.rest().chars().nth(1);
        let (c, length) = match escaped {
            Some('"' | '\\' | '/') => (escaped, 2),
            Some('b') => (Some('\u{8}'), 2),
            Some('f') => (Some('\u{c}'), 2),
            Some('n') => (Some('\n'), 2),
            Some('r') => (Some('\r'), 2),
            Some('t') => (Some('\t'), 2),
            Some('u') => self.unicode_escape(),
            _ => (None, 1),
        };
        match c {
            Some(c) => string.push(c),
            None => {
                // Stands for the character that was meant: an empty string would be a second, false fault.
                string.push(char::REPLACEMENT_CHARACTER);
                let allowed =
                    ["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\uXXXX (surrogates in pairs)"];
                let shown = escaped.map_or(1, |c| 1 + c.len_utf8());
                self.faults.add(path, &(self.at..self.at + shown.max(length)), "this is no JSON escape", &allowed);
            }
        }
        self.at += length;
    }

    /// The character of `\uXXXX`, or of a pair of them, and the bytes taken; `None` when there is no such character.
    fn unicode_escape(&self) -> (Option<char>, usize) {
        let rest = self.rest();
        let hex = |at: usize| {
            let digits = rest.get(at..at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let Some(first) = hex(2) else { return (None, 2) };
        let second = if rest.get(6..8) == Some("\\u") { hex(8) } else { None };
        match (first, second) {
            (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
                (char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), 12)
            }
            _ => (char::from_u32(first), 6),
        }
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The message about the next character: one for a known mistake, else `expected`.
    fn hint(&self, expected: &'static str) -> &'static str {
        match self.rest().chars().next() {
            Some('/' | '#') => "JSON has no comments",
            Some('\'') => "strings stand in double quotes",
            Some('\u{feff}') => "the file must not start with a byte order mark",
            _ => expected,
        }
    }

    /// Records a fault about the next character and gives up.
    fn stop<T>(&mut self, path: &Path<'_>, message: &str, allowed: &[&str]) -> Result<T, Stop> {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        self.faults.add(path, &(self.at..self.at + length), message, allowed);
        Err(Stop)
    }
}

fn is_number(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
