//! The world of one history: what takes steps, in an order that a seed decides, and what is promised of it.

use std::collections::{BTreeMap, BTreeSet};

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{Job, JobEvent, JobState};
use shuntyard_domain::recovery::Fault;

use super::client::Plan;
use super::defect::Defect;
use super::dispatcher::{Dispatcher, runner_id};
use super::faults::{CANCEL, FAULT_KINDS, WITH_TWO_DISPATCHERS};
use super::host::Host;
use super::link::{Ask, Channel};
use super::promise::Broken;
use super::random::Random;
use super::store::{Fate, Store};
use super::task::Task;
use super::truth::Truth;

/// Steps under faults; then the world is calm until everything has ended.
const STEPS: usize = 260;
/// As many in some histories: enough for five placements, or for two dispatchers to get into each other's way.
const MANY_STEPS: usize = 1_000;
/// Far more than any history needs: a job that has not ended by then never will.
const CALM_STEPS: usize = 6_000;

pub struct World {
    pub random: Random,
    pub defect: Option<Defect>,
    pub now_ms: i64,
    pub slots: u32,
    pub store: Store,
    pub hosts: Vec<Host>,
    pub channels: Vec<Channel>,
    /// What still arrives after its channel has gone, or once more.
    pub late: Vec<(usize, Ask)>,
    /// Two machines on which a dispatcher may run.
    pub dispatchers: [Option<Dispatcher>; 2],
    /// Both machines are used.
    pub duplicates: bool,
    /// The kinds of faults that may befall this history, by bit: all of them at once would hide each other.
    pub kinds: usize,
    /// Two dispatchers have lived at once since one has started alone.
    pub mingled: bool,
    pub plans: BTreeMap<JobId, Plan>,
    pub truth: Truth,
    pub calm: bool,
    /// Submissions that were answered and not stored.
    pub unstored: Vec<(usize, Job)>,
    broken: Option<Broken>,
    reached: BTreeSet<&'static str>,
    history: Option<Vec<String>>,
}

/// What a history came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub broken: Option<Broken>,
    /// The rare things that happened in it.
    pub reached: BTreeSet<&'static str>,
    /// Line by line, when it was asked for.
    pub history: Vec<String>,
}

/// Runs the history of `seed`; `told`: it is written down.
pub fn run(seed: u64, defect: Option<Defect>, told: bool) -> Told {
    let mut random = Random::new(seed);
    let hosts: Vec<Host> = (0..=random.below(2)).map(|_| Host::new()).collect();
    let slots = 1 + random.below(2) as u32;
    let duplicates = random.one_in(3);
    let kinds = random.below(1 << FAULT_KINDS) | if duplicates { WITH_TWO_DISPATCHERS } else { 0 };
    let instances = hosts.iter().map(Host::instance_id).collect();
    let mut world = World {
        random,
        defect,
        now_ms: 0,
        slots,
        store: Store { instances, ..Store::default() },
        hosts,
        channels: Vec::new(),
        late: Vec::new(),
        dispatchers: [None, None],
        duplicates,
        kinds,
        mingled: false,
        plans: BTreeMap::new(),
        truth: Truth::default(),
        calm: false,
        unstored: Vec::new(),
        broken: None,
        reached: BTreeSet::new(),
        history: told.then(Vec::new),
    };
    for host in 0..world.hosts.len() {
        world.hosts[host].disk_full = world.random.one_in(12);
    }
    world.start_dispatcher(0);
    let jobs = 1 + world.random.below(3);
    let many = world.random.one_in(if duplicates { 3 } else { 16 });
    let steps = if many { MANY_STEPS } else { STEPS };
    for _ in 0..steps {
        world.step(jobs);
        if world.broken.is_some() {
            break;
        }
    }
    world.heal();
    for _ in 0..CALM_STEPS {
        if world.broken.is_some() || world.is_done() {
            break;
        }
        world.step(0);
    }
    if world.broken.is_none() {
        let last = world.last_look();
        world.hold_all(last);
    }
    Told { broken: world.broken, reached: world.reached, history: world.history.unwrap_or_default() }
}

impl World {
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        if let Some(history) = &mut self.history {
            history.push(format!("{now_ms:5}  {}", what()));
        }
    }

    /// Remembers that the history has come here.
    pub fn reach(&mut self, what: &'static str) {
        self.reached.insert(what);
    }

    /// Keeps the first broken promise.
    pub fn hold(&mut self, job: JobId, kept: Result<(), Broken>) {
        self.hold_all(
            kept.map_err(|broken| Broken { detail: format!("job {}: {}", job.0.as_u128(), broken.detail), ..broken }),
        );
    }

    fn hold_all(&mut self, promise: Result<(), Broken>) {
        if let (None, Err(broken)) = (&self.broken, promise) {
            self.broken = Some(broken);
        }
    }

    /// Commits what a task has to say about its own attempt.
    pub fn commit_for(&mut self, task: &Task, events: &[JobEvent]) -> Result<Job, Fault> {
        let of = (self.defect != Some(Defect::AnyAttempt)).then_some(task.job.attempt);
        self.commit(task.home, task.job.id, of, events)
    }

    /// Commits events if the job has the attempt `of`; a commit may fail, and may fail in appearance only.
    pub fn commit(&mut self, home: usize, id: JobId, of: Option<u32>, events: &[JobEvent]) -> Result<Job, Fault> {
        let fate = match self.random.below(60) {
            0 if !self.calm => Fate::Refused,
            1 if !self.calm => Fate::Doubtful,
            _ => Fate::Fine,
        };
        let done = self.store.apply(id, of, events, self.now_ms, fate);
        self.note(|| {
            let names: Vec<&str> = events.iter().map(JobEvent::name).collect();
            let done = done.as_ref().map_or_else(|fault| format!("{fault:?}"), |job| job.state.name().to_owned());
            format!("commit of job {} by {home}: {} -> {done}", id.0.as_u128(), names.join(" + "))
        });
        if done.is_ok() || fate == Fate::Doubtful {
            self.check_end(home, id);
        }
        done
    }

    fn check_end(&mut self, home: usize, id: JobId) {
        if let Some(job) = self.store.jobs.get(&id).cloned() {
            if let (JobState::Starting { runner }, attempt) = (&job.state, job.attempt_id()) {
                let host = (0..self.hosts.len()).find(|host| runner_id(*host) == *runner).unwrap_or(0);
                let instance = self.store.instances[host].clone();
                let seen = self.truth.attempts.entry(attempt).or_default();
                if seen.instance.is_empty() {
                    (seen.host, seen.instance) = (host, instance);
                }
            }
            if let JobState::Finished(finished) = &job.state {
                let reason = finished.not_run_reason.map(|reason| reason.as_str());
                let evidence = finished.lost_evidence.map(|evidence| evidence.as_str());
                let log = finished.log.truncated.then_some("truncated");
                self.reached.extend([Some(finished.outcome.as_str()), reason, evidence, log].into_iter().flatten());
            }
            let promise = self.truth.ended(&job, home, &self.store, &self.hosts);
            self.hold(id, promise);
        }
    }

    fn step(&mut self, jobs: usize) {
        self.now_ms += 1;
        if self.mingled && self.random.one_in(100) {
            self.all_go_on();
        }
        let home = self.random.pick(&self.awake());
        let host = self.random.below(self.hosts.len());
        match (self.random.below(100), home) {
            (0..=3, Some(home)) if self.plans.len() < jobs => self.submit(home),
            (0..=3, Some(home)) if self.calm || self.kinds & CANCEL != 0 => self.client_cancels(home),
            (0..=3, Some(_)) => {}
            (4..=9, _) => self.insert_late(),
            (10..=17, Some(home)) => self.board_step(home),
            (18..=24, Some(home)) => self.keeper_step(home, host),
            (25..=54, Some(home)) => {
                if let Some(task) = self.random.pick(&self.tasks(home)) {
                    self.task_step(home, task);
                }
            }
            (55..=67, _) => self.deliver(),
            (68..=83, _) => {
                let processes = self.hosts[host].processes.len();
                if processes > 0 && !self.hosts[host].paused {
                    let at = self.random.below(processes);
                    self.process_step(host, at);
                }
            }
            (84..=92, _) => {
                let running = self.hosts[host].spools.iter().filter(|(_, spool)| spool.job_alive).map(|(id, _)| *id);
                let running: Vec<AttemptId> = running.collect();
                if let Some(attempt) = self.random.pick(&running) {
                    self.job_step(host, attempt);
                }
            }
            (93, Some(home)) => self.signal(home),
            (94, Some(home)) => {
                self.lane_step(home);
                self.expire(home);
            }
            (0..=94, None) => {}
            _ if self.calm => self.round(),
            _ => self.fault(),
        }
    }

    fn tasks(&self, home: usize) -> Vec<u32> {
        self.dispatchers[home].as_ref().map(|d| d.tasks.keys().copied().collect()).unwrap_or_default()
    }

    /// In the calm everybody gets on.
    fn round(&mut self) {
        for home in self.awake() {
            self.tasks(home).into_iter().for_each(|task| self.task_step(home, task));
            (0..self.hosts.len()).for_each(|host| self.keeper_step(home, host));
        }
        for host in 0..self.hosts.len() {
            for at in (0..self.hosts[host].processes.len()).rev() {
                self.process_step(host, at);
            }
        }
        self.awake().into_iter().for_each(|home| self.signal(home));
        self.deliver();
    }

    fn deliver(&mut self) {
        if !self.late.is_empty() && self.random.one_in(4) {
            let at = self.random.below(self.late.len());
            let (host, ask) = self.late.swap_remove(at);
            let mut channel = Channel::new(0, host, ask);
            (channel.open, channel.served) = (false, false);
            channel.to_host.clear();
            self.channels.push(channel);
            self.arrive(host, ask, self.channels.len() - 1);
            return;
        }
        let waiting = |(_, channel): &(usize, &Channel)| {
            let host = &self.hosts[channel.host];
            !channel.to_host.is_empty() && host.reachable && !host.paused
        };
        let waiting: Vec<usize> = self.channels.iter().enumerate().filter(waiting).map(|(at, _)| at).collect();
        if let Some(at) = self.random.pick(&waiting)
            && let Some(ask) = self.channels[at].to_host.pop_front()
        {
            self.arrive(self.channels[at].host, ask, at);
        }
    }
}
