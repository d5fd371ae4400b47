//! The world of one history: what takes steps, in an order that a seed decides, and what is promised of it.

use std::collections::BTreeMap;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::{Job, JobEvent, JobState};

use super::client::Plan;
use super::defect::Defect;
use super::dispatcher::{Dispatcher, runner_id};
use super::host::Host;
use super::link::{Ask, Channel};
use super::random::Random;
use super::store::{Fate, Store, StoreFault};
use super::truth::Truth;

/// Steps under faults; then the world is calm until everything has ended.
const STEPS: usize = 260;
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
    pub dispatcher: Option<Dispatcher>,
    pub plans: BTreeMap<JobId, Plan>,
    pub truth: Truth,
    pub calm: bool,
    /// Submissions that were answered and not stored.
    pub unstored: Vec<Job>,
    broken: Option<String>,
    history: Option<Vec<String>>,
}

/// Runs the history of `seed`.
///
/// # Errors
/// The promise that was broken, behind the history when `told`.
pub fn run(seed: u64, defect: Option<Defect>, told: bool) -> Result<(), String> {
    let mut random = Random::new(seed);
    let hosts: Vec<Host> = (0..=random.below(2)).map(|_| Host::new()).collect();
    let slots = 1 + random.below(2) as u32;
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
        dispatcher: None,
        plans: BTreeMap::new(),
        truth: Truth::default(),
        calm: false,
        unstored: Vec::new(),
        broken: None,
        history: told.then(Vec::new),
    };
    world.start_dispatcher();
    let jobs = 1 + world.random.below(3);
    for _ in 0..STEPS {
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
    match world.broken {
        None => Ok(()),
        Some(broken) => {
            Err(world.history.unwrap_or_default().into_iter().chain([broken]).collect::<Vec<_>>().join("\n"))
        }
    }
}

impl World {
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        if let Some(history) = &mut self.history {
            history.push(format!("{now_ms:5}  {}", what()));
        }
    }

    /// Keeps the first broken promise.
    pub fn hold(&mut self, job: JobId, promise: Result<(), String>) {
        self.hold_all(promise.map_err(|broken| format!("job {}: {broken}", job.0.as_u128())));
    }

    fn hold_all(&mut self, promise: Result<(), String>) {
        if let (None, Err(broken)) = (&self.broken, promise) {
            self.broken = Some(broken);
        }
    }

    /// Commits events; a commit may fail, and may fail in appearance only.
    pub fn commit(&mut self, id: JobId, events: &[JobEvent]) -> Result<Job, StoreFault> {
        let fate = match self.random.below(60) {
            0 if !self.calm => Fate::Refused,
            1 if !self.calm => Fate::Doubtful,
            _ => Fate::Fine,
        };
        let done = self.store.apply(id, events, self.now_ms, fate);
        self.note(|| {
            let names: Vec<&str> = events.iter().map(JobEvent::name).collect();
            let done = done.as_ref().map_or_else(|fault| format!("{fault:?}"), |job| job.state.name().to_owned());
            format!("commit of job {}: {} -> {done}", id.0.as_u128(), names.join(" + "))
        });
        if done.is_ok() || fate == Fate::Doubtful {
            self.check_end(id);
        }
        done
    }

    pub fn check_end(&mut self, id: JobId) {
        if let Some(job) = self.store.jobs.get(&id).cloned() {
            if let (JobState::Starting { runner }, attempt) = (&job.state, job.attempt_id()) {
                let host = (0..self.hosts.len()).find(|host| runner_id(*host) == *runner).unwrap_or(0);
                let instance = self.store.instances[host].clone();
                let seen = self.truth.attempts.entry(attempt).or_default();
                if seen.instance.is_empty() {
                    (seen.host, seen.instance) = (host, instance);
                }
            }
            let promise = self.truth.ended(&job, &self.store, &self.hosts);
            self.hold(id, promise);
        }
    }

    fn step(&mut self, jobs: usize) {
        self.now_ms += 1;
        match self.random.below(100) {
            0..=3 if self.plans.len() < jobs => self.submit(),
            0..=3 => self.client_cancels(),
            4..=9 => self.insert_late(),
            10..=17 => self.board_step(),
            18..=24 => {
                let host = self.random.below(self.hosts.len());
                self.keeper_step(host);
            }
            25..=54 => {
                let tasks = self.dispatcher.as_ref().map(|d| d.tasks.keys().copied().collect::<Vec<_>>());
                if let Some(task) = self.random.pick(&tasks.unwrap_or_default()) {
                    self.task_step(task);
                }
            }
            55..=67 => self.deliver(),
            68..=83 => {
                let host = self.random.below(self.hosts.len());
                let processes = self.hosts[host].processes.len();
                if processes > 0 && !self.hosts[host].paused {
                    let at = self.random.below(processes);
                    self.process_step(host, at);
                }
            }
            84..=92 => {
                let host = self.random.below(self.hosts.len());
                let running = self.hosts[host].spools.iter().filter(|(_, spool)| spool.job_alive).map(|(id, _)| *id);
                let running: Vec<AttemptId> = running.collect();
                if let Some(attempt) = self.random.pick(&running) {
                    self.job_step(host, attempt);
                }
            }
            93..=94 => self.signal(),
            _ if self.calm => self.round(),
            _ => self.fault(),
        }
    }

    /// In the calm everybody gets on.
    fn round(&mut self) {
        let tasks = self.dispatcher.as_ref().map(|d| d.tasks.keys().copied().collect::<Vec<_>>()).unwrap_or_default();
        tasks.into_iter().for_each(|task| self.task_step(task));
        for host in 0..self.hosts.len() {
            self.keeper_step(host);
            for at in (0..self.hosts[host].processes.len()).rev() {
                self.process_step(host, at);
            }
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        if !self.late.is_empty() && self.random.one_in(4) {
            let at = self.random.below(self.late.len());
            let (host, ask) = self.late.swap_remove(at);
            let mut channel = Channel::new(host, ask);
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

    fn is_done(&self) -> bool {
        let Some(dispatcher) = &self.dispatcher else { return false };
        self.store.jobs.values().all(|job| job.state.is_finished())
            && dispatcher.tasks.is_empty()
            && dispatcher.inbox.is_empty()
            && dispatcher.signals.is_empty()
            // A cancel whose commit only seemed to fail leaves a place that is given up at the next placement.
            && dispatcher.board.waiting() == 0
            && self.late.is_empty()
            && self.channels.iter().all(|channel| channel.to_host.is_empty())
            && self
                .hosts
                .iter()
                .all(|host| host.processes.iter().all(|p| matches!(p, super::host::Process::Streamer { .. })))
    }

    fn last_look(&self) -> Result<(), String> {
        if let Some(id) = self.truth.acknowledged.iter().find(|id| !self.store.jobs.contains_key(id)) {
            return Err(format!("job {} was acknowledged and is lost", id.0.as_u128()));
        }
        if let Some(job) = self.store.jobs.values().find(|job| !job.state.is_finished()) {
            return Err(format!("job {} is {} for ever", job.id.0.as_u128(), job.state.name()));
        }
        let Some(dispatcher) = &self.dispatcher else { return Ok(()) };
        let held = (0..self.hosts.len()).any(|host| !dispatcher.board.running_on(runner_id(host)).is_empty());
        if held || dispatcher.board.waiting() > 0 {
            return Err("a slot or a place in the queue is held by nobody".into());
        }
        if !self.is_done() {
            return Err("the world does not come to rest".into());
        }
        Ok(())
    }
}
