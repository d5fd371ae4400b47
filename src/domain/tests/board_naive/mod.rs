//! The naive reference: scans every waiting job against every runner, and judges the board's effects.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
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
            Scope::Org(org) => *org == job.account.org,
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
    /// Of every job that was ever heard of.
    accounts: BTreeMap<JobId, Account>,
    /// By organisation and project.
    limits: BTreeMap<(String, String), u32>,
    placement: Placement,
    paused: bool,
    steps: usize,
}

impl Reference {
    pub fn new(placement: Placement) -> Self {
        Self { placement, ..Self::default() }
    }

    /// Whether `a` goes before `b`: a point of priority is worth ten minutes.
    fn before(a: &QueuedJob, b: &QueuedJob) -> bool {
        let minutes_ms = |job: &QueuedJob| (job.id.0.as_u128() >> 80) as i128 - i128::from(job.priority) * 600_000;
        (minutes_ms(a), a.id) < (minutes_ms(b), b.id)
    }

    /// Whether the limits of the job let one more run.
    pub fn has_room(&self, job: &QueuedJob) -> bool {
        self.reached(&job.account).is_empty()
    }

    /// The limits that keep jobs of this account back now, by name.
    fn reached(&self, account: &Account) -> Vec<String> {
        let early = self.early.values().flatten();
        let running: Vec<&Account> =
            self.hosts.values().flat_map(|host| &host.held).chain(early).map(|job| &self.accounts[job]).collect();
        let of_project = |other: &&&Account| (&other.org, &other.project) == (&account.org, &account.project);
        let set = self.limits.get(&(account.org.clone(), account.project.clone()));
        let project = set.filter(|limit| running.iter().filter(of_project).count() >= **limit as usize);
        let of_group = |other: &&&Account| {
            let name = |of: &Account| of.concurrency.as_ref().map(|told| told.group.clone());
            other.org == account.org && name(other).is_some() && name(other) == name(account)
        };
        let held = running.iter().filter(of_group).count();
        let waiting = self.waiting.values().map(|job| &job.account);
        let all: Vec<&Account> = running.iter().copied().chain(waiting).collect();
        let said = all.iter().filter(of_group).filter_map(|other| other.concurrency.as_ref().map(|told| told.limit));
        let limit = said.chain(account.concurrency.as_ref().map(|told| told.limit)).min();
        let group = account.concurrency.as_ref().filter(|_| limit.is_some_and(|limit| held >= limit as usize));
        project.map(|_| account.project.clone()).into_iter().chain(group.map(|told| told.group.clone())).collect()
    }

    /// Takes the event, then checks each effect against the state in which it was made, then the end state.
    pub fn judge(&mut self, event: &BoardEvent, effects: &[Effect]) {
        self.steps += 1;
        self.note(event);
        for Effect::Assign { job, runner } in effects {
            let job =
                self.waiting.get(job).cloned().unwrap_or_else(|| panic!("{job} does not wait, or was placed before"));
            assert!(!self.paused, "{job:?} was placed while the queue is paused");
            let host = &self.hosts[runner];
            assert!(host.may_take(&job), "{} may not take {job:?}", host.runner.attributes.hostname);
            assert!(host.is_free(), "{host:?} has no free slot");
            assert!(self.has_room(&job), "{job:?} is over a limit: {:?}", self.reached(&job.account));
            let better = self.waiting.values().find(|other| Self::before(other, &job) && self.is_placeable(other));
            assert!(better.is_none(), "{better:?} should have gone before {job:?}");
            self.is_placed_well(&job, host);
            self.waiting.remove(&job.id);
            let host = self.hosts.get_mut(runner).unwrap();
            host.held.push(job.id);
            host.last_used = self.steps;
        }
        let idle = self.waiting.values().find(|job| self.is_placeable(job));
        assert!(idle.is_none(), "{idle:?} waits although a runner could take it");
    }

    /// Whether a runner could take the job now.
    fn is_placeable(&self, job: &QueuedJob) -> bool {
        !self.paused && self.has_room(job) && self.hosts.values().any(|host| host.is_free() && host.may_take(job))
    }

    /// Checks what the board says about itself, and its explanation of every waiting job.
    pub fn agrees_with(&self, board: &Board) {
        assert_eq!(board.waiting(), self.waiting.len());
        for (id, host) in &self.hosts {
            let held: BTreeSet<JobId> = host.held.iter().copied().collect();
            assert_eq!(board.running_on(*id), held.into_iter().collect::<Vec<_>>());
        }
        let room = self.waiting.values().filter(|job| self.has_room(job)).map(|job| job.id).collect();
        for job in self.waiting.values() {
            self.explains(board, job, &room);
        }
        for held in self.hosts.values().flat_map(|host| &host.held).filter(|id| !self.waiting.contains_key(id)) {
            assert_eq!(board.explain(*held), None, "{held} does not wait");
        }
    }

    fn explains(&self, board: &Board, job: &QueuedJob, room: &BTreeSet<JobId>) {
        let told = board.explain(job.id).unwrap_or_else(|| panic!("{} waits and is not explained", job.id));
        let reached: Vec<String> = told.limits.iter().filter(|l| l.reached).map(|limit| limit.name.clone()).collect();
        assert_eq!(reached, self.reached(&job.account), "{told:#?}");
        if self.steps.is_multiple_of(3) {
            self.foretells(board, job, told.verdict);
        }
        let mine: Vec<&Host> = self.hosts.values().filter(|host| host.may_take(job)).collect();
        let rivals: Vec<_> = self.waiting.values().filter(|other| Self::before(other, job)).collect();
        let same = |other: &QueuedJob| {
            other.account.org == job.account.org && other.filter.canonical() == job.filter.canonical()
        };
        let takes = |host: &&Host| {
            let ready = host.runner.availability == Availability::Ready && host.runner.slots > 0;
            ready && !rivals.iter().any(|rival| host.may_take(rival) && room.contains(&rival.id))
        };
        assert_eq!(told.paused, self.paused);
        let next = !self.paused && room.contains(&job.id) && mine.iter().any(takes);
        let verdict = match (mine.is_empty(), next) {
            (true, _) => Verdict::Never,
            (_, true) => Verdict::Next,
            (_, false) => Verdict::NotNow,
        };
        assert_eq!(told.verdict, verdict, "{told:#?}");
        assert_eq!(told.candidates_total, mine.len());
        assert_eq!(told.position, 1 + rivals.iter().filter(|rival| same(rival)).count());
        let limits = |of: &QueuedJob| {
            (of.account.project.clone(), of.account.concurrency.as_ref().map(|told| told.group.clone()))
        };
        let competes = |rival: &&&QueuedJob| {
            let takes_part = room.contains(&rival.id) || (same(rival) && limits(rival) == limits(job));
            takes_part && (same(rival) || mine.iter().any(|host| host.may_take(rival)))
        };
        assert_eq!(told.ahead, rivals.iter().filter(competes).count());
        let in_scope = self.hosts.len() - told.scope_excluded_total;
        for clause in &told.clauses {
            assert_eq!(clause.matching + clause.excluded, in_scope, "{clause:?}");
        }
        assert!(!told.summary.is_empty() && !told.unblock.is_empty(), "{told:#?}");
    }

    /// What is told is what happens: the job is `next` exactly when one more slot of some ready runner goes to it.
    fn foretells(&self, board: &Board, job: &QueuedJob, verdict: Verdict) {
        let ready = |host: &&Host| host.runner.availability == Availability::Ready && host.runner.slots > 0;
        let gets_it = |host: &Host| {
            let slots = u32::try_from(host.held.len()).unwrap() + 1;
            let more = BoardRunner { slots, ..host.runner.clone() };
            let effects = board.clone().step(BoardEvent::RunnerChanged(more));
            effects.iter().any(|Effect::Assign { job: placed, .. }| *placed == job.id)
        };
        let placeable = self.hosts.values().filter(ready).any(gets_it);
        assert_eq!(placeable, verdict == Verdict::Next, "{job:?}");
    }

    fn is_placed_well(&self, job: &QueuedJob, host: &Host) {
        let free = || self.hosts.values().filter(|other| other.is_free() && other.may_take(job));
        let avoided = |other: &Host| job.avoid.contains(&other.runner.id);
        if avoided(host) {
            let elsewhere = free().find(|other| !avoided(other));
            assert!(elsewhere.is_none(), "{job:?} came to nothing on {host:?}, and {elsewhere:?} is free");
        }
        let own = |other: &Host| other.runner.scope == Scope::Org(job.account.org.clone());
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

    /// Notes the event itself.
    fn note(&mut self, event: &BoardEvent) {
        match event {
            BoardEvent::JobQueued(job) => {
                self.accounts.insert(job.id, job.account.clone());
                self.waiting.insert(job.id, job.clone());
            }
            BoardEvent::JobDropped(job) => drop(self.waiting.remove(job)),
            BoardEvent::RunnerChanged(runner) => {
                let early = self.early.remove(&runner.id).unwrap_or_default();
                let last_used = if early.is_empty() { 0 } else { self.steps };
                let held = early.into_iter().collect();
                let fresh = Host { runner: runner.clone(), held, last_used };
                self.hosts.entry(runner.id).or_insert(fresh).runner = runner.clone();
            }
            BoardEvent::RunnerRemoved(runner) => {
                self.hosts.remove(runner);
                self.early.remove(runner);
            }
            BoardEvent::SlotTaken { runner, job, account } => {
                self.accounts.insert(*job, account.clone());
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
                let held = self.hosts.get_mut(runner).map(|host| &mut host.held);
                if let Some((held, at)) = held.and_then(|held| held.iter().position(|h| h == job).map(|at| (held, at)))
                {
                    held.remove(at);
                }
            }
            BoardEvent::LimitChanged { org, project, running } => {
                let key = (org.clone(), project.clone());
                match running {
                    Some(running) => drop(self.limits.insert(key, *running)),
                    None => drop(self.limits.remove(&key)),
                }
            }
            BoardEvent::QueuePaused(paused) => self.paused = *paused,
        }
    }
}
