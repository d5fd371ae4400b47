//! Finds the lines in output that comes in pieces, and the pen that each begins with.

use memchr::{memchr, memchr_iter};
use shuntyard_domain::wire::api::LogStyle;
use vte::{Params, Parser, Perform};

use super::pen::apply;

/// Where a line lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub start: u64,
    /// Of its line feed, or of the log's end.
    pub end: u64,
    pub pen: LogStyle,
}

/// Goes through output once. A line feed ends whatever sequence is open: no output can swallow the lines behind it.
pub(super) struct Scanner {
    /// Offset of the next byte.
    at: u64,
    line_start: u64,
    line_pen: LogStyle,
    pen: LogStyle,
    /// From the line's first escape character on.
    parser: Option<Box<Parser>>,
}

struct OnlyPen<'p>(&'p mut LogStyle);

impl Perform for OnlyPen<'_> {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if (action, intermediates, ignore) == ('m', &[], false) {
            apply(self.0, params);
        }
    }
}

impl Scanner {
    /// Begins with a line at `offset`.
    pub fn new(offset: u64, pen: LogStyle) -> Self {
        Self { at: offset, line_start: offset, line_pen: pen, pen, parser: None }
    }

    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The line that has no line feed yet; it may be empty.
    pub const fn open_line(&self) -> Found {
        Found { start: self.line_start, end: self.at, pen: self.line_pen }
    }

    pub const fn pen(&self) -> LogStyle {
        self.pen
    }

    /// Takes the next bytes and tells each line that ends in them, and the pen behind it, until `each` says `false`;
    /// then it stands behind that line.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Found, LogStyle) -> bool) -> bool {
        let mut done = 0;
        for feed in memchr_iter(b'\n', bytes) {
            self.take(&bytes[done..feed]);
            let found = self.open_line();
            done = feed + 1;
            (self.at, self.parser) = (self.at + 1, None);
            (self.line_start, self.line_pen) = (self.at, self.pen);
            if !each(found, self.pen) {
                return false;
            }
        }
        self.take(&bytes[done..]);
        true
    }

    fn take(&mut self, piece: &[u8]) {
        self.at += piece.len() as u64;
        let from = if self.parser.is_some() { Some(0) } else { memchr(0x1b, piece) };
        if let Some(from) = from {
            self.parser.get_or_insert_default().advance(&mut OnlyPen(&mut self.pen), &piece[from..]);
        }
    }
}
