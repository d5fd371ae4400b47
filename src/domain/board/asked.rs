//! Gathers what an explanation needs from the board.

use super::class_set::ClassSet;
use super::classes::serves;
use super::gates::Gate;
use super::{Availability, Board, QueuedJob};
use crate::explain::{Asked, Explanation, HolderExplanation, LISTED_MAX, LimitExplanation, Seen, answer};
use crate::ids::JobId;
use crate::queue::Rank;

impl Board {
    pub(super) fn explanation(&self, job: JobId) -> Option<Explanation> {
        let waiting = self.waiting.get(&job)?;
        let lane = &self.lanes[waiting.lane];
        let class = &self.classes[lane.class];
        let rank = Rank::new(waiting.priority, job);
        let mut rivals = ClassSet::default();
        rivals.insert(lane.class);
        // Only the first of a lane that no limit closes can be the next; most need not be compared at every runner.
        let first = lane.listed && lane.queue.head() == Some(rank);
        let mut next = false;
        for entry in self.runners.iter().filter(|e| class.key.accepts(&e.runner.attributes, &e.runner.scope)) {
            rivals.extend(&entry.classes);
            let may_free_a_slot = entry.runner.availability == Availability::Ready && entry.runner.slots > 0;
            next = next || first && may_free_a_slot && self.classes.best(&entry.classes) == Some(rank);
        }
        let in_lane = |lane: &u32| self.lanes[*lane].queue.ahead_of(rank);
        let takes_part = |other: &&u32| self.lanes[**other].listed || **other == waiting.lane;
        let asked = Asked {
            job,
            org: &class.key.org,
            filter: &class.key.filter,
            position: 1 + class.lanes.iter().map(in_lane).sum::<usize>(),
            ahead: rivals.iter().flat_map(|of| self.classes[of].lanes.iter().filter(takes_part)).map(in_lane).sum(),
            next: next && !self.paused,
            paused: self.paused,
            limits: lane.under.gates().filter_map(|gate| self.limit(&self.gates[gate], rank)).collect(),
        };
        Some(answer(&asked, self.seen_by(&class.key.org)))
    }

    pub(super) fn explanation_beside(&self, job: &QueuedJob) -> Explanation {
        let rank = Rank::new(job.priority, job.id);
        let limits: Vec<_> = self.gates.find(&job.account).filter_map(|gate| self.limit(gate, rank)).collect();
        let next = limits.iter().all(|limit| !limit.reached);
        let org = &job.account.org;
        let (paused, next) = (self.paused, next && !self.paused);
        let asked = Asked { job: job.id, org, filter: &job.filter, position: 1, ahead: 0, next, paused, limits };
        answer(&asked, self.seen_by(org))
    }

    /// What a limit does to the job with this rank; `None` where there is none.
    fn limit(&self, gate: &Gate, rank: Rank) -> Option<LimitExplanation> {
        let holder =
            |(job, project): (JobId, &str)| HolderExplanation { job, project: project.to_owned(), since: None };
        Some(LimitExplanation {
            kind: gate.key.kind,
            name: gate.key.name.clone(),
            limit: gate.limit()?,
            running: gate.held(),
            reached: !gate.has_room(),
            ahead: gate.heads.iter().map(|(_, lane)| self.lanes[*lane].queue.ahead_of(rank)).sum(),
            holders: gate.holders().take(LISTED_MAX).map(holder).collect(),
        })
    }

    /// The inventory as jobs of `org` see it.
    fn seen_by<'a>(&'a self, org: &'a str) -> impl Iterator<Item = Seen<'a>> {
        self.runners.iter().map(move |entry| Seen {
            attributes: &entry.runner.attributes,
            in_scope: serves(&entry.runner.scope, org),
            availability: entry.runner.availability,
            is_free: entry.is_free(),
            running: &entry.running,
        })
    }
}
