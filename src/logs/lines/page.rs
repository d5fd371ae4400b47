//! Lines as they are shown.

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::api::{LogRun, LogStyle};

use super::index::Place;
use super::screen::render;
use super::window::Window;
use super::{Line, Lines, Looked, Wanted};
use crate::logs::times::{Reattached, Times};
use crate::logs::{LogError, LogStore};

/// What is shown of one line.
const LINE_BYTES: u64 = 16 * 1024;
/// What is shown at once.
const PAGE_BYTES: u64 = 1024 * 1024;
/// How often lines are looked at again because some of them were dropped meanwhile.
const MAX_TRIES: usize = 8;

impl LogStore {
    /// Up to `count` lines, as many as make up a page. While there is no log there are none.
    ///
    /// # Errors
    /// `LogError::File` when the file system refuses.
    pub fn lines(&self, attempt: AttemptId, wanted: Wanted, count: u64) -> Result<Lines, LogError> {
        let Some(looked) = self.look(attempt)? else { return Ok(Lines::default()) };
        let shown_bytes = |place: &Place| (place.found.end - place.found.start).min(LINE_BYTES);
        for _ in 0..MAX_TRIES {
            let located = looked.locate(wanted, count, PAGE_BYTES, shown_bytes)?;
            let lines = looked.shown(&located.places).map_err(|source| looked.fault("read", source))?;
            if looked.is_unchanged(&located)? {
                let elided_bytes = located.elided.map_or(0, |elided| elided.end - elided.start);
                return Ok(Lines { total: located.total, elided_line: located.elided_line, elided_bytes, lines });
            }
        }
        Ok(Lines::default())
    }
}

impl Looked<'_> {
    fn shown(&self, places: &[Place]) -> std::io::Result<Vec<Line>> {
        let (mut times, reattached) = (Times::of(&self.path), Reattached::of(&self.path));
        let mut window = Window::new(&self.file);
        let show = |place: &Place| {
            let Place { line, found, is_elided } = *place;
            let (runs, shown_bytes) = if is_elided { (Vec::new(), 0) } else { line_runs(&mut window, place)? };
            let hidden = (found.end - found.start).saturating_sub(shown_bytes);
            Ok(Line {
                number: line,
                offset: found.start,
                at_ms: times.at(found.start).filter(|_| !is_elided),
                runs,
                cut_bytes: if is_elided { 0 } else { hidden },
                elided_bytes: if is_elided { hidden } else { 0 },
                reattached_at_ms: reattached.within(found.start, found.end),
            })
        };
        places.iter().map(show).collect()
    }
}

/// What is shown of a line, and how many bytes that is: all of it, its beginning, or, of one that was written over
/// again and again, what was written last.
fn line_runs(window: &mut Window<'_>, place: &Place) -> std::io::Result<(Vec<LogRun>, u64)> {
    let (start, end) = (place.found.start, place.found.end);
    if end - start > LINE_BYTES {
        let tail = window.read(end - LINE_BYTES, end)?;
        let text = tail.strip_suffix(b"\r").unwrap_or(tail);
        if let Some(begin) = memchr::memchr(b'\r', text) {
            let last = &tail[begin..];
            return Ok((render(last, LogStyle::default()), last.len() as u64));
        }
    }
    let line = window.read(start, end.min(start + LINE_BYTES))?;
    Ok((render(line, place.found.pen), line.len() as u64))
}
