//! A runner as docs/PROTOCOL.md describes it: claims, spools, fences, instance and boot id.

use std::collections::BTreeMap;

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::{LostWhy, ResultRecord, SpoolState};

/// What a claim file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Made, not written yet.
    Empty,
    Owner {
        launcher: u32,
        boot: u32,
    },
    Fenced,
}

/// The files and processes of one attempt.
#[derive(Clone, Debug, Default)]
pub struct Spool {
    pub claim: Option<Claim>,
    pub dir: bool,
    /// Boot in which the job was started.
    pub started: Option<u32>,
    pub log: Vec<u8>,
    pub result: Option<ResultRecord>,
    pub cancel: Option<StopReason>,
    pub waiter_alive: bool,
    pub job_alive: bool,
    pub dying: bool,
}

/// How far a launcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Claim,
    Write,
    Prepare,
    Start,
}

/// A process of the wrapper.
#[derive(Clone, Copy, Debug)]
pub enum Process {
    Launcher { number: u32, attempt: AttemptId, channel: usize, step: Step },
    Verb { ask: super::link::Ask, channel: usize, waited: u32 },
    Streamer { attempt: AttemptId, channel: usize, next: usize, end_said: bool },
}

pub struct Host {
    pub boot: u32,
    pub instance: u32,
    /// Packets pass. The keeper's connection lives on when they pass again in time.
    pub reachable: bool,
    /// Its sshd is stopped; jobs go on.
    pub paused: bool,
    pub disk_full: bool,
    /// Counts connections; a lease of an earlier one cannot open a channel.
    pub connection: u32,
    /// The wrapper and our key are there.
    pub installed: bool,
    pub spools: BTreeMap<AttemptId, Spool>,
    pub processes: Vec<Process>,
    pub launchers: u32,
}

impl Host {
    pub fn new() -> Self {
        Self {
            boot: 1,
            instance: 1,
            reachable: true,
            paused: false,
            disk_full: false,
            connection: 1,
            installed: true,
            spools: BTreeMap::new(),
            processes: Vec::new(),
            launchers: 0,
        }
    }

    pub fn instance_id(&self) -> String {
        format!("i{}", self.instance)
    }

    fn launcher_alive(&self, launcher: u32, boot: u32) -> bool {
        let is_it = |p: &Process| matches!(p, Process::Launcher { number, .. } if *number == launcher);
        boot == self.boot && self.processes.iter().any(is_it)
    }

    /// The wrapper's `look`; `None`: it does not know the attempt. `Err`: claimed, and the files are gone.
    pub fn look(&self, attempt: AttemptId) -> Result<Option<SpoolState>, ()> {
        let Some(spool) = self.spools.get(&attempt) else { return Ok(None) };
        let Some(claim) = spool.claim else { return Ok(None) };
        let size = spool.log.len() as u64;
        if let Some(result) = spool.result {
            return Ok(Some(SpoolState::End(result)));
        }
        Ok(Some(match (claim, spool.started) {
            (Claim::Fenced, _) => SpoolState::Fenced,
            (_, Some(_)) if spool.waiter_alive || spool.job_alive => SpoolState::Run { size },
            (_, Some(boot)) if boot == self.boot => SpoolState::Lost { why: LostWhy::Killed, size },
            (_, Some(_)) => SpoolState::Lost { why: LostWhy::Reboot, size },
            (Claim::Empty, None) => SpoolState::Reserved,
            (Claim::Owner { launcher, boot }, None) if self.launcher_alive(launcher, boot) => SpoolState::Reserved,
            (Claim::Owner { .. }, None) if !spool.dir => return Err(()),
            (Claim::Owner { boot, .. }, None) if boot == self.boot => SpoolState::Lost { why: LostWhy::NoStart, size },
            (Claim::Owner { .. }, None) => SpoolState::Lost { why: LostWhy::Reboot, size },
        }))
    }

    /// A launcher hung or died before it wrote its claim: making the spool is a fence.
    pub fn decide_empty_claim(&mut self, attempt: AttemptId) {
        let Some(spool) = self.spools.get_mut(&attempt) else { return };
        if spool.claim == Some(Claim::Empty) {
            spool.claim = Some(if spool.dir { Claim::Owner { launcher: 0, boot: 0 } } else { Claim::Fenced });
            spool.dir = true;
        }
    }

    /// Removes an attempt's files; the claim stays.
    pub fn remove(&mut self, attempt: AttemptId) {
        if let Some(spool) = self.spools.get_mut(&attempt) {
            let running = spool.job_alive;
            *spool = Spool { claim: spool.claim, job_alive: running, ..Spool::default() };
        }
    }

    /// The job ended, or was stopped: a full disk is told, and the result is written into its reserved place.
    pub fn record(&mut self, attempt: AttemptId, exit_code: i32) -> Option<ResultRecord> {
        let spool = self.spools.get_mut(&attempt)?;
        let mut sum = Cksum::default();
        sum.update(&spool.log);
        (spool.waiter_alive, spool.job_alive) = (false, false);
        let stopped = spool.cancel.or(self.disk_full.then_some(StopReason::DiskFull));
        let record = ResultRecord { exit_code, size: sum.bytes(), cksum: sum.value(), stopped, has_outputs: false };
        spool.result = Some(record);
        Some(record)
    }

    /// Everything that runs dies; what is on the disk stays.
    pub fn reboot(&mut self) {
        self.boot += 1;
        self.processes.clear();
        for spool in self.spools.values_mut() {
            (spool.waiter_alive, spool.job_alive, spool.dying) = (false, false, false);
        }
    }
}
