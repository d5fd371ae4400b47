//! In which order free runners are taken.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Which of several free runners takes a job; those of its own organisation go before those that all share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The one with the largest part of its slots free; of equals the one with fewest jobs, then the one
    /// whose last tree of files is the job's, then the one that was given a job longest ago (never counts as longest).
    #[default]
    LeastLoaded,
    /// Any, with about equal chances; the same seed and history give the same choice.
    Random { seed: u64 },
    /// The one with the smallest part of its slots free, so that the others stay empty.
    Pack,
}

/// A runner with a free slot in the order in which it is taken: the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    /// The runner serves every organisation: it is taken when none of the job's own is free.
    shared: bool,
    /// Load, its opposite or a drawn number, by placement.
    order: u64,
    used: u32,
    last_used: u64,
    pub(super) runner: u32,
}

/// A placement and its state.
#[derive(Clone, Debug)]
pub(super) struct Placer {
    placement: Placement,
    draws: u64,
}

impl Seat {
    /// Tells whether only the time of the last job orders them.
    pub(super) fn ties_with(&self, other: &Self) -> bool {
        (self.shared, self.order, self.used) == (other.shared, other.order, other.used)
    }
}

impl Placer {
    pub(super) fn new(placement: Placement) -> Self {
        let draws = if let Placement::Random { seed } = placement { seed } else { 0 };
        Self { placement, draws }
    }

    /// The seat of a runner with `used` of its `slots` taken; there must be a free one.
    pub(super) fn seat(&mut self, runner: u32, shared: bool, used: u32, slots: u32, last_used: u64) -> Seat {
        match self.placement {
            Placement::LeastLoaded => Seat { shared, order: load(used, slots), used, last_used, runner },
            Placement::Random { .. } => Seat { shared, order: self.draw(), used: 0, last_used: 0, runner },
            Placement::Pack => Seat { shared, order: u64::MAX - load(used, slots), used: 0, last_used: 0, runner },
        }
    }

    /// Tells whether of runners that tie one with the job's tree of files goes first.
    pub(super) const fn prefers_trees(&self) -> bool {
        !matches!(self.placement, Placement::Random { .. })
    }

    /// The runner that is to be taken.
    ///
    /// A random choice takes the next seat from a drawn point on, round the end, among those as near as the first: the
    /// organisation's own, or the shared ones. Seats draw a new place whenever their runner changes, so that no gap
    /// between two of them favours one for long.
    pub(super) fn pick(&mut self, seats: &BTreeSet<Seat>) -> Option<u32> {
        let first = *seats.first()?;
        if !matches!(self.placement, Placement::Random { .. }) {
            return Some(first.runner);
        }
        let point = Seat { shared: first.shared, order: self.draw(), used: 0, last_used: 0, runner: 0 };
        Some(seats.range(point..).next().filter(|seat| seat.shared == first.shared).unwrap_or(&first).runner)
    }

    /// The next number of the splitmix64 sequence (Steele, Lea, Flood 2014).
    fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.draws;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// `used / slots` as a 64-bit fraction of 1: different ratios of 32-bit numbers stay different.
fn load(used: u32, slots: u32) -> u64 {
    let fraction = (u128::from(used) << 64) / u128::from(slots.max(1));
    u64::try_from(fraction).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_difference_of_two_loads_is_seen() {
        assert_eq!(load(1, 3), load(2, 6));
        assert!(load(u32::MAX - 2, u32::MAX - 1) < load(u32::MAX - 1, u32::MAX));
        assert!(load(0, 1) < load(1, u32::MAX));
        assert_eq!(load(4, 4), u64::MAX);
    }

    #[test]
    fn a_random_placement_takes_every_runner_about_equally_often() {
        let mut placer = Placer::new(Placement::Random { seed: 1 });
        let mut seats: BTreeSet<Seat> = (0..10).map(|runner| placer.seat(runner, true, 0, 1, 0)).collect();
        let mut taken = [0_u32; 10];
        for _ in 0..10_000 {
            let runner = placer.pick(&seats).unwrap();
            taken[runner as usize] += 1;
            seats.retain(|seat| seat.runner != runner);
            seats.insert(placer.seat(runner, true, 0, 1, 0));
        }
        assert!(taken.iter().all(|times| (700..1_300).contains(times)), "{taken:?}");
    }

    #[test]
    fn a_random_placement_takes_the_shared_runners_only_when_no_own_one_is_free() {
        let mut placer = Placer::new(Placement::Random { seed: 1 });
        let mut taken = [0_u32; 5];
        for _ in 0..3_000 {
            let seats: BTreeSet<Seat> = (0..5).map(|runner| placer.seat(runner, runner >= 3, 0, 1, 0)).collect();
            taken[placer.pick(&seats).unwrap() as usize] += 1;
        }
        assert!(taken[..3].iter().all(|times| (700..1_300).contains(times)), "{taken:?}");
        assert_eq!(taken[3..], [0, 0]);
    }
}
