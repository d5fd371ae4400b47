//! The last changes in order, so that a reader who was away goes on where it was.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

/// A place in the order of changes; as text it is the id of an event, `EPOCH-SEQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When this dispatcher has started: places of another run mean nothing here.
    pub epoch: i64,
    /// How many changes there had been.
    pub seq: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// The text is not that of a place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of an event: EPOCH-SEQ")]
pub struct BadMark;

impl FromStr for Mark {
    type Err = BadMark;

    fn from_str(text: &str) -> Result<Self, BadMark> {
        let (epoch, seq) = text.split_once('-').ok_or(BadMark)?;
        Ok(Self { epoch: epoch.parse().map_err(|_| BadMark)?, seq: seq.parse().map_err(|_| BadMark)? })
    }
}

/// A bounded memory of what has changed; what it is now is read when it is told.
#[derive(Debug)]
pub struct Recent<T> {
    kept: VecDeque<T>,
    most: usize,
    /// Number of the last one; the first is 1.
    last: u64,
}

impl<T: Clone + Eq + Hash> Recent<T> {
    /// Remembers `most` changes.
    pub fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most, last: 0 }
    }

    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Notes a change; returns its number.
    pub fn push(&mut self, what: T) -> u64 {
        if self.kept.len() == self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(what);
        self.last += 1;
        self.last
    }

    /// What has changed after `seq`, each thing once, at the place of its last change, in order. `None`: it is not known.
    pub fn since(&self, seq: u64) -> Option<Vec<(u64, T)>> {
        let behind = usize::try_from(self.last.checked_sub(seq)?).ok()?;
        let begin = self.kept.len().checked_sub(behind)?;
        let numbered = (seq + 1..).zip(self.kept.range(begin..).cloned());
        let numbered: Vec<(u64, T)> = numbered.collect();
        let mut seen = HashSet::new();
        let mut once: Vec<(u64, T)> =
            numbered.into_iter().rev().filter(|(_, what)| seen.insert(what.clone())).collect();
        once.reverse();
        Some(once)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What is stored: a thing and its version; what is not there was removed.
    type World = BTreeMap<u8, u64>;

    /// A reader as the stream's: it knows a world and a place.
    #[derive(Default)]
    struct Reader {
        knows: World,
        at: u64,
        resets: u32,
    }

    impl Reader {
        /// Reads up to `most` events, then the connection is cut.
        fn read(&mut self, recent: &Recent<u8>, world: &World, most: usize) {
            let Some(changed) = recent.since(self.at) else {
                self.resets += 1;
                (self.knows, self.at) = (world.clone(), recent.last());
                return;
            };
            for (seq, thing) in changed.into_iter().take(most) {
                assert!(seq > self.at, "numbers rise");
                match world.get(&thing) {
                    Some(version) => self.knows.insert(thing, *version),
                    None => self.knows.remove(&thing),
                };
                self.at = seq;
            }
        }
    }

    proptest! {
        #[test]
        fn a_reader_who_is_cut_at_any_point_ends_where_one_who_is_not_ends(
            steps in prop::collection::vec((0_u8..6, prop::bool::ANY, 0_usize..4, prop::bool::ANY), 1..200),
            most in 1_usize..12,
        ) {
            let (mut world, mut recent) = (World::new(), Recent::new(most));
            let (mut steady, mut cut) = (Reader::default(), Reader::default());
            for (version, (thing, removed, portion, reads)) in (1..).zip(steps) {
                if removed { world.remove(&thing) } else { world.insert(thing, version) };
                recent.push(thing);
                steady.read(&recent, &world, usize::MAX);
                prop_assert_eq!(&steady.knows, &world);
                if reads {
                    cut.read(&recent, &world, portion);
                }
            }
            cut.read(&recent, &world, usize::MAX);
            prop_assert_eq!(&cut.knows, &world);
            prop_assert_eq!((steady.resets, steady.at), (0, cut.at));
        }
    }

    #[test]
    fn who_is_too_far_behind_or_from_elsewhere_is_told_so() {
        let mut recent = Recent::new(3);
        assert_eq!(recent.since(0), Some(Vec::new()));
        for thing in ["a", "b", "a", "c"] {
            recent.push(thing);
        }
        assert_eq!(recent.since(1), Some(vec![(2, "b"), (3, "a"), (4, "c")]));
        assert_eq!(recent.since(4), Some(Vec::new()));
        assert_eq!(recent.since(0), None, "the first is forgotten");
        assert_eq!(recent.since(5), None, "it has not been yet");
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let mark = Mark { epoch: 1_700_000_000_000, seq: 7 };
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for bad in ["", "7", "a-7", "7-", "7-x"] {
            assert_eq!(bad.parse::<Mark>(), Err(BadMark), "{bad}");
        }
    }
}
