//! The forms in which a value is printed: by `echo`, `set -x`, `base64`, `xxd`, encoders of URLs and of JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{MIN_LINE_BYTES, MIN_MASKED_BYTES};

/// RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Python's `quote`.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// Forms of browsers; a space is `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// What to look for.
#[derive(Default)]
pub(super) struct Forms {
    pub(super) exact: BTreeSet<Vec<u8>>,
    /// Of letters, digits and a few signs only: tools break lines in them.
    pub(super) wrapped: BTreeSet<Vec<u8>>,
}

impl Forms {
    pub(super) fn add(&mut self, value: &str) {
        // White space around it is often lost, and hides nothing.
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        if value.len() < MIN_MASKED_BYTES {
            return;
        }
        self.add_text(value);
        self.add_encoded(value.as_bytes());
        for line in value.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE_BYTES) {
            self.add_text(line);
        }
    }

    fn add_text(&mut self, text: &str) {
        let mut add = |form: String| {
            self.exact.insert(form.into_bytes());
        };
        add(text.to_owned());
        if text.contains('\'') {
            add(text.replace('\'', r"'\''"));
        }
        let json = json(text);
        add(json_ascii(&json));
        add(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
        add(json.replace('/', "\\/"));
        add(json);
        for set in [UNRESERVED, PATH, COMPONENT, FORM] {
            let upper = utf8_percent_encode(text, set).to_string();
            if set == FORM {
                add(upper.replace("%20", "+"));
            }
            add(lower_escapes(&upper));
            add(upper);
        }
    }

    fn add_encoded(&mut self, bytes: &[u8]) {
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        self.wrapped.insert(hex.to_uppercase().into_bytes());
        self.wrapped.insert(hex.into_bytes());
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for before in 0..3 {
                let whole = engine.encode([&[0; 2][..before], bytes].concat());
                // Characters that also hold bits of what stands before and behind it are no part of the pattern.
                let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
                self.wrapped.insert(whole.as_bytes()[first..end].to_vec());
            }
        }
    }
}

/// As it stands between the quotes of JSON.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON in which everything else than ASCII is escaped.
fn json_ascii(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
        text
    })
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |mut lower, piece| {
        let (escape, rest) = piece.split_at(piece.len().min(2));
        lower.push('%');
        lower.push_str(&escape.to_ascii_lowercase());
        lower.push_str(rest);
        lower
    })
}
