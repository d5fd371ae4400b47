//! Who is placed when slots are free, or when limits have room again.

use super::gates::Ticket;
use super::{Board, Effect};
use crate::ids::JobId;
use crate::queue::Rank;

impl Board {
    /// Gives the slots of `freed`, and the room of limits that were reached before, to the best waiting jobs.
    pub(super) fn settle(&mut self, freed: Option<u32>) -> Vec<Effect> {
        self.settle_with(freed, None)
    }

    /// As `settle`, with a lane whose first job may have a free runner.
    pub(super) fn settle_with(&mut self, freed: Option<u32>, fresh: Option<u32>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.gates.is_touched() && fresh.is_none() {
            // The common case in a house without limits: only the freed runner can take anything.
            self.fill(freed, &mut effects);
            return effects;
        }
        let touched = self.gates.take_touched();
        touched.iter().for_each(|gate| self.close_if_full(*gate));
        let opening: Vec<u32> = touched.iter().copied().filter(|gate| self.is_opening(*gate)).collect();
        if opening.is_empty() && fresh.is_none() {
            self.fill(freed, &mut effects);
        } else {
            freed.into_iter().for_each(|runner| self.reseat(runner));
            while let Some((rank, lane)) = self.best_of(freed, fresh, &opening) {
                let class = self.lanes[lane].class;
                let Some(runner) = self.seat_for(rank.job(), class) else { break };
                effects.push(self.assign(rank.job(), runner));
                self.reseat(runner);
            }
        }
        for gate in touched.into_iter().chain(self.gates.take_touched()) {
            if !self.gates[gate].open && self.gates[gate].has_room() {
                self.swing(gate, true);
            }
            self.gates.forget_unused(gate);
        }
        effects
    }

    /// Gives the runner the best waiting jobs until it is full or none is left for it.
    fn fill(&mut self, freed: Option<u32>, effects: &mut Vec<Effect>) {
        let Some(index) = freed else { return };
        while self.may_give(index) {
            let Some(rank) = self.classes.best(&self.runners[index].classes) else { break };
            effects.push(self.assign(rank.job(), index));
        }
        self.reseat(index);
    }

    /// The best job that the freed runner may take or that an opening gate lets through, and that has a free runner.
    fn best_of(&self, freed: Option<u32>, fresh: Option<u32>, opening: &[u32]) -> Option<(Rank, u32)> {
        let freed = freed.filter(|runner| self.may_give(*runner));
        let here = freed.and_then(|runner| self.classes.best(&self.runners[runner].classes));
        let here = here.and_then(|rank| Some((rank, self.waiting.get(&rank.job())?.lane)));
        // Their lanes are not listed yet, so that a limit which is reached again at once costs no more than this look.
        let there = opening.iter().filter(|gate| self.gates[**gate].has_room()).filter_map(|gate| {
            let mut heads = self.gates[*gate].heads.iter();
            heads.find(|(_, lane)| {
                let lane = &self.lanes[*lane];
                !self.classes[lane.class].seats.is_empty() && self.gates.have_room(lane.under)
            })
        });
        let fresh = fresh.and_then(|lane| {
            let known = &self.lanes[lane];
            let may_go = self.gates.have_room(known.under) && !self.classes[known.class].seats.is_empty();
            known.queue.head().filter(|_| may_go).map(|rank| (rank, lane))
        });
        here.into_iter().chain(fresh).chain(there.copied()).min()
    }

    /// The free runner of the class that is to take a waiting job.
    fn seat_for(&mut self, job: JobId, class: u32) -> Option<u32> {
        let waiting = self.waiting.get(&job)?;
        let (avoid, tree) = (waiting.avoid.clone(), waiting.workspace);
        self.pick(class, &avoid, tree)
    }

    /// Gives a waiting job a slot of the runner.
    pub(super) fn assign(&mut self, job: JobId, runner: u32) -> Effect {
        let mut tree = None;
        if let Some(ticket) = self.ticket_of(job) {
            tree = self.pull(job).and_then(|waiting| waiting.workspace);
            self.gates.hold(job, ticket);
            ticket.under.gates().for_each(|gate| self.close_if_full(gate));
        }
        self.runners[runner].take(job, self.tick);
        self.trees.given(runner, tree, job);
        Effect::Assign { job, runner: self.runners[runner].runner.id }
    }

    /// The gates of a waiting job.
    pub(super) fn ticket_of(&self, job: JobId) -> Option<Ticket> {
        let waiting = self.waiting.get(&job)?;
        Some(Ticket { under: self.lanes[waiting.lane].under, limit: waiting.limit })
    }

    pub(super) fn close_if_full(&mut self, gate: u32) {
        if self.gates[gate].open && !self.gates[gate].has_room() {
            self.swing(gate, false);
        }
    }

    /// Closed, although it has room again.
    fn is_opening(&self, gate: u32) -> bool {
        let gate = &self.gates[gate];
        !gate.open && gate.has_room() && !gate.heads.is_empty()
    }
}
