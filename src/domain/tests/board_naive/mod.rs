//! The naive reference: scans every waiting job against every runner, and judges the board's effects.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::board::{Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::explain::Verdict;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::runner::Scope;

/// A runner as the reference knows it.
#[derive(Clone, Debug)]
pub struct Host {
    pub runner: BoardRunner,
    /// One element for each slot taken.
    pub held: Vec<JobId>,
    pub last_used: usize,
}

impl Host {
    /// Scope and filter, whatever the availability.
    pub fn may_take(&self, job: &QueuedJob) -> bool {
        let in_scope = match &self.runner.scope {
            Scope::Enterprise => true,
            Scope::Org(org) => *org == job.org,
        };
        in_scope && job.filter.matches(&self.runner.attributes)
    }

    pub fn is_free(&self) -> bool {
        self.runner.availability == Availability::Ready && self.held.len() < self.runner.slots as usize
    }

    /// `used / slots` compared without division.
    fn load_cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| a.held.len() as u128 * u128::from(b.runner.slots);
        cross(self, other).cmp(&cross(other, self))
    }

    fn least_loaded_cmp(&self, other: &Self) -> Ordering {
        self.load_cmp(other).then(self.held.len().cmp(&other.held.len())).then(self.last_used.cmp(&other.last_used))
    }
}

/// Everything that the board should know, in plain lists.
#[derive(Debug, Default)]
pub struct Reference {
    pub hosts: BTreeMap<RunnerId, Host>,
    pub waiting: BTreeMap<JobId, QueuedJob>,
    early: BTreeMap<RunnerId, BTreeSet<JobId>>,
    placement: Placement,
    steps: usize,
}

impl Reference {
    pub fn new(placement: Placement) -> Self {
        Self { placement, ..Self::default() }
    }

    /// Whether `a` goes before `b`.
    fn before(a: &QueuedJob, b: &QueuedJob) -> bool {
        (-i64::from(a.priority), a.id) < (-i64::from(b.priority), b.id)
    }

    /// Takes the event, then checks each effect against the state in which it was made, then the end state.
    pub fn judge(&mut self, event: &BoardEvent, effects: &[Effect]) {
        self.steps += 1;
        let concerned = self.note(event);
        for Effect::Assign { job, runner } in effects {
            let job = self.waiting.remove(job).unwrap_or_else(|| panic!("{job} does not wait, or was placed before"));
            let host = &self.hosts[runner];
            assert!(host.may_take(&job), "{} may not take {job:?}", host.runner.attributes.hostname);
            assert!(host.is_free(), "{host:?} has no free slot");
            match concerned {
                Concerned::Job => self.is_placed_well(&job, host),
                Concerned::Runner(only) => {
                    assert_eq!(*runner, only, "only the runner of the event has a new free slot");
                    let better = self.waiting.values().find(|other| host.may_take(other) && Self::before(other, &job));
                    assert!(better.is_none(), "{better:?} should have gone before {job:?}");
                }
                Concerned::Nobody => panic!("{event:?} cannot start a job"),
            }
            let host = self.hosts.get_mut(runner).unwrap();
            host.held.push(job.id);
            host.last_used = self.steps;
        }
        for job in self.waiting.values() {
            let idle = self.hosts.values().find(|host| host.is_free() && host.may_take(job));
            assert!(idle.is_none(), "{job:?} waits although {idle:?} could take it");
        }
    }

    /// Checks what the board says about itself, and its explanation of every waiting job.
    pub fn agrees_with(&self, board: &Board) {
        assert_eq!(board.waiting(), self.waiting.len());
        for (id, host) in &self.hosts {
            let held: BTreeSet<JobId> = host.held.iter().copied().collect();
            assert_eq!(board.running_on(*id), held.into_iter().collect::<Vec<_>>());
        }
        for job in self.waiting.values() {
            self.explains(board, job);
        }
        for held in self.hosts.values().flat_map(|host| &host.held).filter(|id| !self.waiting.contains_key(id)) {
            assert_eq!(board.explain(*held), None, "{held} does not wait");
        }
    }

    fn explains(&self, board: &Board, job: &QueuedJob) {
        let told = board.explain(job.id).unwrap_or_else(|| panic!("{} waits and is not explained", job.id));
        let mine: Vec<&Host> = self.hosts.values().filter(|host| host.may_take(job)).collect();
        let rivals: Vec<_> = self.waiting.values().filter(|other| Self::before(other, job)).collect();
        let same = |other: &QueuedJob| other.org == job.org && other.filter.canonical() == job.filter.canonical();
        let takes = |host: &&Host| {
            let ready = host.runner.availability == Availability::Ready && host.runner.slots > 0;
            ready && !rivals.iter().any(|rival| host.may_take(rival))
        };
        let verdict = match (mine.is_empty(), mine.iter().any(takes)) {
            (true, _) => Verdict::Never,
            (_, true) => Verdict::Next,
            (_, false) => Verdict::NotNow,
        };
        assert_eq!(told.verdict, verdict, "{told:#?}");
        assert_eq!(told.candidates_total, mine.len());
        assert_eq!(told.position, 1 + rivals.iter().filter(|rival| same(rival)).count());
        let competes = |rival: &&&QueuedJob| same(rival) || mine.iter().any(|host| host.may_take(rival));
        assert_eq!(told.ahead, rivals.iter().filter(competes).count());
        let in_scope = self.hosts.len() - told.scope_excluded_total;
        for clause in &told.clauses {
            assert_eq!(clause.matching + clause.excluded, in_scope, "{clause:?}");
        }
        assert!(!told.summary.is_empty() && !told.unblock.is_empty(), "{told:#?}");
    }

    fn is_placed_well(&self, job: &QueuedJob, host: &Host) {
        let free = || self.hosts.values().filter(|other| other.is_free() && other.may_take(job));
        let avoided = |other: &Host| job.avoid.contains(&other.runner.id);
        if avoided(host) {
            let elsewhere = free().find(|other| !avoided(other));
            assert!(elsewhere.is_none(), "{job:?} came to nothing on {host:?}, and {elsewhere:?} is free");
        }
        let own = |other: &Host| other.runner.scope == Scope::Org(job.org.clone());
        let nearer = free().find(|other| avoided(other) == avoided(host) && own(other) && !own(host));
        assert!(
            nearer.is_none(),
            "{job:?} went to {host:?}, which all share, and {nearer:?} is its organisation's own"
        );
        let rivals = || free().filter(|other| avoided(other) == avoided(host) && own(other) == own(host));
        let better = match self.placement {
            Placement::LeastLoaded => rivals().find(|other| other.least_loaded_cmp(host).is_lt()),
            Placement::Pack => rivals().find(|other| other.load_cmp(host).is_gt()),
            Placement::Random { .. } => None,
        };
        assert!(better.is_none(), "{better:?} is a better place than {host:?}");
    }

    /// Notes the event itself, and tells what may follow from it.
    fn note(&mut self, event: &BoardEvent) -> Concerned {
        match event {
            BoardEvent::JobQueued(job) => {
                self.waiting.insert(job.id, job.clone());
                return Concerned::Job;
            }
            BoardEvent::JobDropped(job) => drop(self.waiting.remove(job)),
            BoardEvent::RunnerChanged(runner) => {
                let early = self.early.remove(&runner.id).unwrap_or_default();
                let last_used = if early.is_empty() { 0 } else { self.steps };
                let held = early.into_iter().collect();
                let fresh = Host { runner: runner.clone(), held, last_used };
                self.hosts.entry(runner.id).or_insert(fresh).runner = runner.clone();
                return Concerned::Runner(runner.id);
            }
            BoardEvent::RunnerRemoved(runner) => {
                self.hosts.remove(runner);
                self.early.remove(runner);
            }
            BoardEvent::SlotTaken { runner, job } => {
                self.waiting.remove(job);
                match self.hosts.get_mut(runner) {
                    Some(host) if !host.held.contains(job) => {
                        host.held.push(*job);
                        host.last_used = self.steps;
                    }
                    Some(_) => {}
                    None => drop(self.early.entry(*runner).or_default().insert(*job)),
                }
            }
            BoardEvent::SlotFreed { runner, job } => {
                self.early.entry(*runner).or_default().remove(job);
                let Some(host) = self.hosts.get_mut(runner) else { return Concerned::Nobody };
                let Some(at) = host.held.iter().position(|held| held == job) else { return Concerned::Nobody };
                host.held.remove(at);
                return Concerned::Runner(*runner);
            }
        }
        Concerned::Nobody
    }
}

/// Whose chance an event is.
#[derive(Clone, Copy, Debug)]
enum Concerned {
    /// The job of the event may go to any runner.
    Job,
    /// This runner may take waiting jobs.
    Runner(RunnerId),
    Nobody,
}
