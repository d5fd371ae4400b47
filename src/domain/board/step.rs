//! What each event does to the board.

use super::classes::ClassKey;
use super::{Account, Board, BoardRunner, Effect, QueuedJob, Waiting};
use crate::digest::Digest;
use crate::ids::{JobId, RunnerId};
use crate::queue::Rank;
use crate::runner::Scope;

impl Board {
    /// Gives the job to a free runner of its class, or lets it wait.
    pub(super) fn job_queued(&mut self, job: QueuedJob) -> Vec<Effect> {
        let waited = self.drop_from_the_queue(job.id);
        self.trees.came_back(job.id);
        let ticket = self.gates.ticket(&job.account);
        self.gates.say(ticket);
        ticket.under.gates().for_each(|gate| self.close_if_full(gate));
        let class = self.class_of(ClassKey { filter: job.filter.canonical(), org: job.account.org });
        let may_go = !waited && self.gates.are_open(ticket.under);
        let free = if may_go { self.pick(class, &job.avoid, job.workspace) } else { None };
        let Some(runner) = free else {
            let lane = self.push(class, ticket.under, Rank::new(job.priority, job.id));
            let (priority, limit, workspace, avoid) = (job.priority, ticket.limit, job.workspace, job.avoid);
            self.waiting.insert(job.id, Waiting { lane, priority, limit, workspace, avoid });
            // What it said before may have kept others back, or itself.
            return self.settle_with(None, waited.then_some(lane));
        };
        self.classes.touch(class, self.tick);
        self.gates.hold(job.id, ticket);
        self.runners[runner].take(job.id, self.tick);
        self.trees.given(runner, job.workspace, job.id);
        self.reseat(runner);
        self.settle(None);
        vec![Effect::Assign { job: job.id, runner: self.runners[runner].runner.id }]
    }

    /// The free runner of the class that is to be taken; one of `avoid` only when there is no other.
    ///
    /// Looks at no more seats than there are runners to avoid, and one.
    pub(super) fn pick(&mut self, class: u32, avoid: &[RunnerId], tree: Option<Digest>) -> Option<u32> {
        let seats = &self.classes[class].seats;
        let first = self.placer.pick(seats)?;
        let avoided = |runner: u32| avoid.contains(&self.runners[runner].runner.id);
        if !avoided(first) {
            return Some(self.with_the_tree(class, first, tree).filter(|runner| !avoided(*runner)).unwrap_or(first));
        }
        Some(seats.iter().map(|seat| seat.runner).find(|runner| !avoided(*runner)).unwrap_or(first))
    }

    /// Removes a job that waits; tells whether it did.
    pub(super) fn drop_from_the_queue(&mut self, job: JobId) -> bool {
        let ticket = self.ticket_of(job);
        ticket.into_iter().for_each(|ticket| self.gates.unsay(ticket));
        self.pull(job).is_some()
    }

    /// Learns what a runner is now, and gives it what it may take.
    pub(super) fn runner_changed(&mut self, runner: BoardRunner) -> Vec<Effect> {
        let index = match self.runners.find(runner.id) {
            Some(index) => {
                let old = &self.runners[index].runner;
                if (&old.attributes, &old.scope) != (&runner.attributes, &runner.scope) {
                    self.leave_classes(index);
                    self.runners[index].runner = runner;
                    self.join_classes(index);
                } else {
                    self.runners[index].runner = runner;
                }
                index
            }
            None => self.runner_added(runner),
        };
        self.settle(Some(index))
    }

    /// Forgets a runner and the jobs on it.
    pub(super) fn runner_removed(&mut self, runner: RunnerId) {
        for job in self.early.remove(&runner).unwrap_or_default() {
            self.gates.release(job);
        }
        if let Some(index) = self.runners.find(runner) {
            for (job, slots) in std::mem::take(&mut self.runners[index].running) {
                (0..slots).for_each(|_| self.gates.release(job));
            }
            self.leave_classes(index);
            self.trees.forget(index);
            self.runners.remove(index);
        }
    }

    /// Notes a job that is on a runner without our having placed it there.
    pub(super) fn slot_taken(&mut self, runner: RunnerId, job: JobId, account: &Account) {
        self.drop_from_the_queue(job);
        let index = self.runners.find(runner);
        let is_new = match index {
            Some(index) => !self.runners[index].running.contains_key(&job),
            None => self.early.entry(runner).or_default().insert(job),
        };
        if !is_new {
            return;
        }
        let ticket = self.gates.ticket(account);
        self.gates.say(ticket);
        self.gates.hold(job, ticket);
        if let Some(index) = index {
            self.runners[index].take(job, self.tick);
            self.reseat(index);
        }
    }

    /// Frees a slot and gives it to the best job that may have it.
    pub(super) fn slot_freed(&mut self, runner: RunnerId, job: JobId) -> Vec<Effect> {
        let Some(index) = self.runners.find(runner) else {
            if self.early.get_mut(&runner).is_some_and(|early| early.remove(&job)) {
                self.gates.release(job);
            }
            self.early.retain(|_, jobs| !jobs.is_empty());
            return self.settle(None);
        };
        if !self.runners[index].free(job) {
            return Vec::new();
        }
        self.gates.release(job);
        self.settle(Some(index))
    }

    /// Keeps the number of classes without jobs within its bound.
    pub(super) fn forget_idle_classes(&mut self) {
        while let Some(class) = self.classes.forget_one() {
            self.runners.leave_class(class);
        }
    }

    /// The class with this key; a new one learns its runners here.
    fn class_of(&mut self, key: ClassKey) -> u32 {
        if let Some(class) = self.classes.find(&key) {
            return class;
        }
        let class = self.classes.add(key, self.tick);
        let known = &mut self.classes[class];
        for entry in self.runners.iter_mut() {
            if known.key.accepts(&entry.runner.attributes, &entry.runner.scope) {
                entry.classes.insert(class);
                known.seats.extend(entry.seat);
            }
        }
        class
    }

    /// Adds a runner, with the slots that were taken on it before it was known.
    fn runner_added(&mut self, runner: BoardRunner) -> u32 {
        let early = self.early.remove(&runner.id).unwrap_or_default();
        let index = self.runners.add(runner);
        for job in early {
            self.runners[index].take(job, self.tick);
        }
        self.join_classes(index);
        index
    }

    /// Puts a runner without a seat into the classes whose jobs it may take.
    fn join_classes(&mut self, index: u32) {
        let entry = &mut self.runners[index];
        for (class, held) in self.classes.iter() {
            if held.key.accepts(&entry.runner.attributes, &entry.runner.scope) {
                entry.classes.insert(class);
            }
        }
    }

    /// Takes a runner out of its classes, and its seat with it.
    fn leave_classes(&mut self, index: u32) {
        let entry = &mut self.runners[index];
        let classes = std::mem::take(&mut entry.classes);
        if let Some(seat) = entry.seat.take() {
            for class in classes.iter() {
                self.classes[class].seats.remove(&seat);
            }
        }
    }

    /// Makes the runner's seat in its classes agree with its free slots.
    ///
    /// Runs once an event, after the waiting jobs were looked at (unless a limit has room again): a runner that is
    /// full again never gets a seat, so that a busy house pays nothing for the order of free runners.
    pub(super) fn reseat(&mut self, index: u32) {
        let may_give = self.may_give(index);
        let entry = &mut self.runners[index];
        let shared = entry.runner.scope == Scope::Enterprise;
        let seat = may_give.then(|| self.placer.seat(index, shared, entry.used, entry.runner.slots, entry.last_used));
        let old = std::mem::replace(&mut entry.seat, seat);
        if old == seat {
            return;
        }
        for class in entry.classes.iter() {
            let seats = &mut self.classes[class].seats;
            if let Some(old) = old {
                seats.remove(&old);
            }
            seats.extend(seat);
        }
    }
}
