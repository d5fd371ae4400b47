//! The index of the lines of one stretch of a log: a mark at every so many lines.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use shuntyard_domain::wire::api::LogStyle;

use super::scanner::{Found, Scanner};

/// Tests have short logs; these are small there, so that all that happens in long ones happens in those.
const CHUNK_BYTES: usize = if cfg!(test) { 61 } else { 256 * 1024 };
/// A mark is set at the first line behind so many lines or bytes; more of both when there would be too many marks.
const STRIDE_LINES: u64 = if cfg!(test) { 3 } else { 256 };
const STRIDE_BYTES: u64 = if cfg!(test) { 64 } else { 64 * 1024 };
const MAX_MARKS: usize = if cfg!(test) { 16 } else { 32 * 1024 };

/// The beginning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// Counts from 0, in the stretch.
    line: u64,
    offset: u64,
    pen: LogStyle,
}

/// What is known of the lines from an offset on, as far as was looked.
pub(super) struct Segment {
    /// Never empty: the first one is the beginning.
    marks: Vec<Mark>,
    scanner: Scanner,
    /// Lines that have their line feed.
    ended: u64,
    stride_lines: u64,
    stride_bytes: u64,
}

impl Segment {
    pub fn new(start: u64, pen: LogStyle) -> Self {
        Self {
            marks: vec![Mark { line: 0, offset: start, pen }],
            scanner: Scanner::new(start, pen),
            ended: 0,
            stride_lines: STRIDE_LINES,
            stride_bytes: STRIDE_BYTES,
        }
    }

    /// How far was looked.
    pub const fn at(&self) -> u64 {
        self.scanner.at()
    }

    /// Lines that have their line feed.
    pub const fn ended(&self) -> u64 {
        self.ended
    }

    /// Lines, with one that has no line feed yet.
    pub const fn lines(&self) -> u64 {
        let open = self.scanner.open_line();
        self.ended + if open.end > open.start { 1 } else { 0 }
    }

    /// Looks on, as far as `to` or the file's end.
    pub fn extend(&mut self, file: &File, to: u64) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        while self.at() < to {
            let n = read_at(file, &mut buffer, self.at(), to)?;
            if n == 0 {
                break;
            }
            let (marks, ended) = (&mut self.marks, &mut self.ended);
            let (stride_lines, stride_bytes) = (self.stride_lines, self.stride_bytes);
            self.scanner.feed(&buffer, |found, pen| {
                *ended += 1;
                let mark = Mark { line: *ended, offset: found.end + 1, pen };
                if marks.last().is_none_or(|last| is_due(last, &mark, stride_lines, stride_bytes)) {
                    marks.push(mark);
                }
                true
            });
            if self.marks.len() > MAX_MARKS {
                self.thin();
            }
        }
        Ok(())
    }

    fn thin(&mut self) {
        while self.marks.len() > MAX_MARKS {
            (self.stride_lines, self.stride_bytes) = (self.stride_lines * 2, self.stride_bytes * 2);
            let (lines, bytes) = (self.stride_lines, self.stride_bytes);
            let mut last: Option<Mark> = None;
            self.marks.retain(|mark| {
                let keep = last.is_none_or(|last| is_due(&last, mark, lines, bytes));
                last = if keep { Some(*mark) } else { last };
                keep
            });
        }
    }

    /// Forgets what is behind `end`; looks as far as that if it was not.
    pub fn cut_end(&mut self, file: &File, end: u64) -> std::io::Result<()> {
        if end < self.at() {
            self.marks.retain(|mark| mark.offset <= end);
            if let Some(last) = self.marks.last() {
                (self.ended, self.scanner) = (last.line, Scanner::new(last.offset, last.pen));
            }
        }
        self.extend(file, end)
    }

    /// Forgets what is before `start`, where the stretch begins from now on, and counts its lines from there.
    pub fn cut_start(&mut self, file: &File, start: u64) -> std::io::Result<()> {
        let before = self.marks.partition_point(|mark| mark.offset < start);
        let pen = before.checked_sub(1).map_or_else(LogStyle::default, |n| self.marks[n].pen);
        let mut rest = Self::new(start, if start < self.at() { pen } else { self.scanner.pen() });
        let Some(first) = self.marks.get(before).copied() else {
            let looked_to = self.at();
            *self = rest;
            return self.extend(file, looked_to);
        };
        rest.extend(file, first.offset)?;
        let (counted, known) = (rest.ended, rest.marks.last().map_or(start, |mark| mark.offset));
        let behind = self.marks[before..].iter().filter(|mark| mark.offset > known);
        rest.marks.extend(behind.map(|mark| Mark { line: mark.line - first.line + counted, ..*mark }));
        self.ended = self.ended - first.line + counted;
        self.marks = rest.marks;
        Ok(())
    }

    /// Tells the lines from `line` on, until `each` says `false`; with `open`, one without line feed even when it is empty.
    ///
    /// Answers whether all were told.
    pub fn walk(
        &self,
        file: &File,
        line: u64,
        open: bool,
        mut each: impl FnMut(u64, Found) -> bool,
    ) -> std::io::Result<bool> {
        let mark = self.marks[self.marks.partition_point(|mark| mark.line <= line).saturating_sub(1)];
        let (mut scanner, mut number) = (Scanner::new(mark.offset, mark.pen), mark.line);
        let mut buffer = Vec::new();
        while scanner.at() < self.at() {
            if let Some(next) = self.behind_long_line(&scanner, number) {
                let found = Found { end: next.offset - 1, ..scanner.open_line() };
                (scanner, number) = (Scanner::new(next.offset, next.pen), next.line);
                if next.line > line && !each(next.line - 1, found) {
                    return Ok(false);
                }
                continue;
            }
            if read_at(file, &mut buffer, scanner.at(), self.at())? == 0 {
                break;
            }
            let all = scanner.feed(&buffer, |found, _| {
                number += 1;
                number <= line || each(number - 1, found)
            });
            if !all {
                return Ok(false);
            }
        }
        let found = scanner.open_line();
        let told = (open || found.end > found.start) && number >= line;
        Ok(!told || each(number, found))
    }

    /// The mark behind the line in which `scanner` stands, if that line is long.
    fn behind_long_line(&self, scanner: &Scanner, number: u64) -> Option<Mark> {
        let open = scanner.open_line();
        if open.end - open.start < STRIDE_BYTES {
            return None;
        }
        let next = self.marks.get(self.marks.partition_point(|mark| mark.offset <= open.start))?;
        (next.line == number + 1).then_some(*next)
    }
}

const fn is_due(last: &Mark, mark: &Mark, lines: u64, bytes: u64) -> bool {
    mark.line - last.line >= lines || mark.offset - last.offset >= bytes
}

/// Reads the next bytes before `to`.
fn read_at(file: &File, buffer: &mut Vec<u8>, offset: u64, to: u64) -> std::io::Result<usize> {
    buffer.resize(CHUNK_BYTES.min(usize::try_from(to - offset).unwrap_or(CHUNK_BYTES)), 0);
    let n = loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    buffer.truncate(n);
    Ok(n)
}
