//! One automaton (Aho and Corasick, 1975) over the patterns, and where a stream stands in it.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

/// The longest run of white space that is taken as a break inside an encoded secret: indentation included.
const MAX_GAP_BYTES: usize = 32;
/// With fewer characters before the first break, these are shown: else every line that ends in a character with which
/// some form begins would wait for the next one.
const MIN_PIECE_BYTES: usize = 8;

/// The automaton could not be built: too many patterns.
pub(super) struct TooLarge;

/// Patterns that are looked for in the same way.
pub(super) struct Layer {
    nfa: NFA,
    start: StateID,
    /// By state: how many of the last bytes are the beginning of a pattern.
    depths: Vec<u32>,
    /// White space inside a pattern is skipped.
    skips_breaks: bool,
}

impl Layer {
    /// `None` without patterns.
    pub(super) fn of(patterns: &BTreeSet<Vec<u8>>, skips_breaks: bool) -> Result<Option<Self>, TooLarge> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut builder = NFA::builder();
        let builder = builder.match_kind(MatchKind::Standard).prefilter(false);
        let nfa = builder.build(patterns).map_err(|_| TooLarge)?;
        let start = nfa.start_state(Anchored::No).map_err(|_| TooLarge)?;
        let mut depths: Vec<u32> = Vec::new();
        for pattern in patterns {
            let mut state = start;
            for (before, byte) in pattern.iter().enumerate() {
                state = nfa.next_state(Anchored::No, state, *byte);
                if depths.len() <= state.as_usize() {
                    depths.resize(state.as_usize() + 1, 0);
                }
                depths[state.as_usize()] = u32::try_from(before + 1).map_err(|_| TooLarge)?;
            }
        }
        Ok(Some(Self { nfa, start, depths, skips_breaks }))
    }

    pub(super) fn lookback_bytes(&self) -> u64 {
        let longest = self.nfa.max_pattern_len() as u64;
        if self.skips_breaks { longest * (MAX_GAP_BYTES as u64 + 1) } else { longest.saturating_sub(1) }
    }

    fn depth(&self, state: StateID) -> usize {
        self.depths.get(state.as_usize()).map_or(0, |depth| *depth as usize)
    }

    /// The longest pattern that ends where `state` was reached.
    fn found(&self, state: StateID) -> Option<usize> {
        if !self.nfa.is_match(state) {
            return None;
        }
        let length = |index| self.nfa.pattern_len(self.nfa.match_pattern(state, index));
        (0..self.nfa.match_len(state)).map(length).max()
    }
}

/// Where a stream stands.
pub(super) struct Walk {
    state: StateID,
    /// White space since the last other byte.
    gap: usize,
}

impl Walk {
    pub(super) fn new(layer: &Layer) -> Self {
        Self { state: layer.start, gap: 0 }
    }

    /// Takes the last byte of `seen`; answers which of them a pattern covers that ends with it.
    pub(super) fn step(&mut self, layer: &Layer, seen: &[u8]) -> Option<Range<usize>> {
        let byte = *seen.last()?;
        if layer.skips_breaks && is_break(byte) {
            self.gap += 1;
            if self.gap > MAX_GAP_BYTES {
                self.state = layer.start;
            }
            return None;
        }
        self.gap = 0;
        self.state = layer.nfa.next_state(Anchored::No, self.state, byte);
        layer.found(self.state).map(|length| last_bytes(layer, seen, length))
    }

    /// The end of `seen` that may be the beginning of a pattern.
    pub(super) fn open(&self, layer: &Layer, seen: &[u8]) -> Range<usize> {
        last_bytes(layer, seen, layer.depth(self.state))
    }
}

const fn is_break(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The end of `seen` that holds `count` bytes of a pattern.
fn last_bytes(layer: &Layer, seen: &[u8], count: usize) -> Range<usize> {
    if !layer.skips_breaks {
        return seen.len().saturating_sub(count)..seen.len();
    }
    if count == 0 {
        return seen.len()..seen.len();
    }
    // `piece`: bytes of the pattern before `behind_break`, the end of the break that is nearest to its beginning.
    let (mut left, mut piece, mut behind_break) = (count, 0, None);
    for (at, byte) in seen.iter().enumerate().rev() {
        if is_break(*byte) {
            if piece > 0 || behind_break.is_none() {
                behind_break = Some(at + 1);
            }
            piece = 0;
            continue;
        }
        piece += 1;
        left -= 1;
        if left == 0 {
            let start = behind_break.filter(|_| piece < MIN_PIECE_BYTES).unwrap_or(at);
            return start..seen.len();
        }
    }
    // Its first piece was short, and is given out.
    let start = seen.iter().position(|byte| !is_break(*byte)).unwrap_or(seen.len());
    start..seen.len()
}
