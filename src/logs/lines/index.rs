//! The lines of one log: its head and, where the middle is not kept, one line for that and the tail.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use shuntyard_domain::wire::api::LogStyle;

use super::scanner::Found;
use super::segment::Segment;
use crate::logs::elision::Elision;

/// How often a log is looked at again because its middle was dropped meanwhile.
const MAX_LOOKS: usize = 8;

/// Where one line lies, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Counts from 0.
    pub line: u64,
    pub found: Found,
    /// It stands for these bytes, which are not kept.
    pub is_elided: bool,
}

/// What is known of a log's lines. Numbers are those of the text that has one line for what is not kept.
pub(super) struct LineIndex {
    head: Segment,
    /// What is not kept, and what comes behind it.
    rest: Option<(Range<u64>, Segment)>,
}

impl LineIndex {
    pub fn new() -> Self {
        Self { head: Segment::new(0, LogStyle::default()), rest: None }
    }

    pub fn lines(&self) -> u64 {
        match &self.rest {
            None => self.head.lines(),
            Some((_, tail)) => self.head.ended() + 2 + tail.lines(),
        }
    }

    /// The line that stands for what is not kept.
    pub fn elided_line(&self) -> Option<u64> {
        self.rest.as_ref().map(|_| self.head.ended() + 1)
    }

    /// What is not kept.
    pub fn elided(&self) -> Option<&Range<u64>> {
        self.rest.as_ref().map(|(elided, _)| elided)
    }

    /// Tells whether the log's middle is still what it was when the index was made.
    fn is_of(&self, path: &Path) -> std::io::Result<bool> {
        Ok(self.elided() == elided(path)?.as_ref())
    }

    /// Looks at what has come since.
    pub fn refresh(&mut self, path: &Path, file: &File) -> std::io::Result<()> {
        for _ in 0..MAX_LOOKS {
            let (elided, stored) = (elided(path)?, file.metadata()?.len());
            if stored < self.rest.as_ref().map_or(&self.head, |(_, tail)| tail).at() {
                // It was cut where its job had ended.
                *self = Self::new();
            }
            if self.elided() != elided.as_ref() {
                self.adopt(file, elided)?;
            }
            self.rest.as_mut().map_or(&mut self.head, |(_, tail)| tail).extend(file, stored)?;
            // A hole is announced before it is made, so what was read before is not of one.
            if self.is_of(path)? {
                break;
            }
        }
        Ok(())
    }

    fn adopt(&mut self, file: &File, elided: Option<Range<u64>>) -> std::io::Result<()> {
        let Self { head, rest } = std::mem::replace(self, Self::new());
        let Some(new) = elided else { return Ok(()) };
        (self.head, self.rest) = match rest {
            Some((old, mut tail)) if old.start == new.start && old.end <= new.end => {
                tail.cut_start(file, new.end)?;
                (head, Some((new, tail)))
            }
            _ if head.at() > new.end => {
                let mut first = Segment::new(0, LogStyle::default());
                first.cut_end(file, new.start)?;
                let mut tail = head;
                tail.cut_start(file, new.end)?;
                (first, Some((new, tail)))
            }
            _ => {
                let mut head = head;
                head.cut_end(file, new.start)?;
                let tail = Segment::new(new.end, LogStyle::default());
                (head, Some((new, tail)))
            }
        };
        Ok(())
    }

    /// Tells the lines from `line` on until `each` says `false`.
    pub fn walk(&self, file: &File, line: u64, mut each: impl FnMut(Place) -> bool) -> std::io::Result<()> {
        let mut each = |line, found, is_elided| each(Place { line, found, is_elided });
        let Some((elided, tail)) = &self.rest else {
            return self.head.walk(file, line, false, |n, found| each(n, found, false)).map(drop);
        };
        let mark = self.head.ended() + 1;
        if line < mark && !self.head.walk(file, line, true, |n, found| each(n, found, false))? {
            return Ok(());
        }
        let gap = Found { start: elided.start, end: elided.end, pen: LogStyle::default() };
        if line <= mark && !each(mark, gap, true) {
            return Ok(());
        }
        let from = line.saturating_sub(mark + 1);
        tail.walk(file, from, false, |n, found| each(mark + 1 + n, found, false)).map(drop)
    }
}

/// What is not kept of a log.
pub(super) fn elided(path: &Path) -> std::io::Result<Option<Range<u64>>> {
    Ok(Elision::read(path)?.map(|elision| elision.from..elision.to))
}
