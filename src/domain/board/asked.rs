//! Gathers what an explanation needs from the board.

use super::class_set::ClassSet;
use super::classes::serves;
use super::{Availability, Board};
use crate::explain::{Asked, Explanation, Seen, answer};
use crate::ids::JobId;
use crate::queue::Rank;

impl Board {
    pub(super) fn explanation(&self, job: JobId) -> Option<Explanation> {
        let place = *self.waiting.get(&job)?;
        let class = &self.classes[place.class];
        let rank = Rank::new(place.priority, job);
        let before = class.queue.ahead_of(rank);
        let mut rivals = ClassSet::default();
        rivals.insert(place.class);
        let mut next = false;
        for entry in self.runners.iter().filter(|e| class.key.accepts(&e.runner.attributes, &e.runner.scope)) {
            rivals.extend(&entry.classes);
            let may_free_a_slot = entry.runner.availability == Availability::Ready && entry.runner.slots > 0;
            next |= before == 0 && may_free_a_slot && self.classes.best(&entry.classes).is_some_and(|b| b.0 == rank);
        }
        let asked = Asked {
            job,
            org: &class.key.org,
            filter: &class.key.filter,
            position: before + 1,
            ahead: self.classes.ahead_of(&rivals, rank),
            next,
        };
        let inventory = self.runners.iter().map(|entry| Seen {
            attributes: &entry.runner.attributes,
            in_scope: serves(&entry.runner.scope, &class.key.org),
            availability: entry.runner.availability,
            running: &entry.running,
        });
        Some(answer(&asked, inventory))
    }
}
