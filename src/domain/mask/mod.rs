//! Masking: every byte of output that shows a secret becomes `*`, wherever chunks are cut.
//!
//! A masked byte stands for one byte, so offsets in a masked log are the host's own: a log is followed, resumed and read by
//! the same numbers with and without secrets. Which bytes are masked depends on the text alone, not on how it came in
//! pieces. A masker that begins anew `lookback_bytes` before what is stored masks what follows as one that has seen all.

mod forms;
mod layer;

use std::ops::Range;
use std::sync::Arc;

use forms::Forms;
use layer::{Layer, Walk};

/// A value with fewer bytes than this is not masked: it would be found everywhere.
pub const MIN_MASKED_BYTES: usize = 4;
/// A line of a value of several lines is masked by itself when it has as many bytes.
pub const MIN_LINE_BYTES: usize = 8;
/// The beginning of a secret at the very end of the output is masked when it has as many bytes; a shorter one is shown.
const MIN_UNFINISHED_BYTES: usize = 8;

/// What to look for: every form in which values are printed. Has no `Debug`: it is secret.
pub struct Patterns(Kind);

enum Kind {
    Everything,
    /// Those that are found byte by byte, and those that are found also where lines are broken in them.
    Known(Box<[Option<Layer>; 2]>),
}

impl Patterns {
    /// Makes the patterns of these values: raw, each line, base64 at its three phases in both alphabets, hexadecimal,
    /// percent-encoded, and escaped as JSON and shells do.
    #[must_use]
    pub fn of<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut forms = Forms::default();
        values.into_iter().for_each(|value| forms.add(value));
        match (Layer::of(&forms.exact, false), Layer::of(&forms.wrapped, true)) {
            (Ok(exact), Ok(wrapped)) => Self(Kind::Known(Box::new([exact, wrapped]))),
            // More than an automaton can hold: nothing is shown rather than something secret.
            _ => Self::everything(),
        }
    }

    /// Masks every byte: for output whose secrets are not known.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Kind::Everything)
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        let layers: &[Option<Layer>] = match &self.0 {
            Kind::Everything => &[],
            Kind::Known(layers) => layers.as_slice(),
        };
        layers.iter().flatten()
    }

    /// How far before a byte an occurrence that covers it can begin.
    #[must_use]
    pub fn lookback_bytes(&self) -> u64 {
        self.layers().map(Layer::lookback_bytes).max().unwrap_or(0)
    }

    /// Masks a whole text.
    #[must_use]
    pub fn mask(self: &Arc<Self>, text: &[u8]) -> Vec<u8> {
        let mut masker = Masker::new(Arc::clone(self));
        let mut masked = masker.feed(text);
        masked.extend(masker.finish());
        masked
    }

    /// As `mask`, for text that people read.
    #[must_use]
    pub fn mask_text(self: &Arc<Self>, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }
}

/// Masks a stream of bytes. Holds back only what may be the beginning of a secret.
pub struct Masker {
    patterns: Arc<Patterns>,
    walks: Vec<Walk>,
    /// What came and is not given out yet, as it came.
    pending: Vec<u8>,
    /// What of it is to be masked; in order, and apart from each other.
    covered: Vec<Range<usize>>,
}

impl Masker {
    #[must_use]
    pub fn new(patterns: Arc<Patterns>) -> Self {
        let walks = patterns.layers().map(Walk::new).collect();
        Self { patterns, walks, pending: Vec::new(), covered: Vec::new() }
    }

    /// Bytes that are held back.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.pending.len() as u64
    }

    /// Takes the next bytes; answers what of all that came can be given out now, masked.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        if matches!(self.patterns.0, Kind::Everything) {
            return vec![b'*'; bytes.len()];
        }
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        for at in before..self.pending.len() {
            let seen = &self.pending[..=at];
            for (walk, layer) in self.walks.iter_mut().zip(self.patterns.layers()) {
                if let Some(found) = walk.step(layer, seen) {
                    cover(&mut self.covered, found);
                }
            }
        }
        let open = self.walks.iter().zip(self.patterns.layers()).map(|(walk, layer)| walk.open(layer, &self.pending));
        let open = open.map(|open| open.start).min().unwrap_or(self.pending.len());
        self.release(open)
    }

    /// Gives out the rest: nothing comes behind it. The beginning of a secret is masked too, unless it is very short.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        for (walk, layer) in self.walks.iter_mut().zip(self.patterns.layers()) {
            let open = walk.open(layer, &self.pending);
            if open.len() >= MIN_UNFINISHED_BYTES {
                cover(&mut self.covered, open);
            }
            *walk = Walk::new(layer);
        }
        self.release(self.pending.len())
    }

    fn release(&mut self, length: usize) -> Vec<u8> {
        let mut out: Vec<u8> = self.pending.drain(..length).collect();
        self.covered.retain_mut(|range| {
            out[range.start.min(length)..range.end.min(length)].fill(b'*');
            *range = range.start.saturating_sub(length)..range.end.saturating_sub(length);
            range.start < range.end
        });
        out
    }
}

/// Adds a range that ends behind all others or with them, or near the end.
fn cover(covered: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    while let Some(last) = covered.pop_if(|last| last.end >= range.start) {
        range = last.start.min(range.start)..last.end.max(range.end);
    }
    covered.push(range);
}

#[cfg(test)]
mod tests;
