//! The pause of the whole queue: jobs wait, what runs goes on.
//!
//! While it is paused no runner has a seat, so that nobody is free for anybody. Pausing and resuming cost
//! O(runners · C); each job that is placed by a resume, O(classes).

use super::{Board, Effect};
use crate::queue::Rank;

impl Board {
    /// Stops or lets go on; what the free runners may take is given to them, best jobs first.
    pub(super) fn set_paused(&mut self, paused: bool) -> Vec<Effect> {
        if self.paused == paused {
            return Vec::new();
        }
        self.paused = paused;
        self.runners.indices().into_iter().for_each(|runner| self.reseat(runner));
        let mut effects = Vec::new();
        while let Some((rank, class)) = self.best_with_a_seat() {
            let Some(waiting) = self.waiting.get(&rank.job()) else { break };
            let (avoid, tree) = (waiting.avoid.clone(), waiting.workspace);
            let Some(runner) = self.pick(class, &avoid, tree) else { break };
            effects.push(self.assign(rank.job(), runner));
            self.reseat(runner);
        }
        effects.extend(self.settle(None));
        effects
    }

    /// The best waiting job that no limit keeps back and that has a free runner, with its class.
    fn best_with_a_seat(&self) -> Option<(Rank, u32)> {
        let seated = self.classes.iter().filter(|(_, class)| !class.seats.is_empty());
        seated.filter_map(|(index, _)| Some((self.classes.head(index)?, index))).min()
    }

    /// Whether waiting jobs stay where they are, whoever is free.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether the runner would be given a job now.
    pub(super) fn may_give(&self, runner: u32) -> bool {
        !self.paused && self.runners[runner].is_free()
    }
}
