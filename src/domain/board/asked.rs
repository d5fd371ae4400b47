//! Gathers what an explanation needs from the board.

use super::class_set::ClassSet;
use super::classes::serves;
use super::{Availability, Board, QueuedJob};
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
        Some(answer(&asked, self.seen_by(&class.key.org)))
    }

    pub(super) fn explanation_beside(&self, job: &QueuedJob) -> Explanation {
        let asked = Asked { job: job.id, org: &job.org, filter: &job.filter, position: 1, ahead: 0, next: true };
        answer(&asked, self.seen_by(&job.org))
    }

    /// The inventory as jobs of `org` see it.
    fn seen_by<'a>(&'a self, org: &'a str) -> impl Iterator<Item = Seen<'a>> {
        self.runners.iter().map(move |entry| Seen {
            attributes: &entry.runner.attributes,
            in_scope: serves(&entry.runner.scope, org),
            availability: entry.runner.availability,
            running: &entry.running,
        })
    }
}
