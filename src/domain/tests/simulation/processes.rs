//! What the wrapper's processes and the jobs do on a host, one step at a time.

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{ErrCode, SpoolState};

use super::defect::Defect;
use super::host::{Claim, Process, Spool, Step};
use super::link::{Ask, Said};
use super::world::World;

impl World {
    pub fn say(&mut self, channel: usize, said: Said) {
        let channel = &mut self.channels[channel];
        if channel.served && channel.open {
            channel.said.push_back(said);
        }
    }

    /// What arrives at a host becomes a process.
    pub fn arrive(&mut self, host: usize, ask: Ask, channel: usize) {
        self.note(|| format!("host {host} gets {ask:?}"));
        let host = &mut self.hosts[host];
        let process = match ask {
            Ask::Run(attempt) => {
                host.launchers += 1;
                Process::Launcher { number: host.launchers, attempt, channel, step: Step::Claim }
            }
            ask => Process::Verb { ask, channel, waited: 0 },
        };
        host.processes.push(process);
    }

    /// One step of one process of the wrapper.
    pub fn process_step(&mut self, host: usize, at: usize) {
        let next = match self.hosts[host].processes[at] {
            Process::Launcher { number, attempt, channel, step } => self.launcher(host, number, attempt, channel, step),
            Process::Verb { ask, channel, waited } => self.verb(host, ask, channel, waited),
            Process::Streamer { attempt, channel, next, end_said } => {
                self.streamer(host, attempt, channel, next, end_said)
            }
        };
        match next {
            Some(process) => self.hosts[host].processes[at] = process,
            None => drop(self.hosts[host].processes.remove(at)),
        }
    }

    fn launcher(
        &mut self,
        host: usize,
        number: u32,
        attempt: AttemptId,
        channel: usize,
        step: Step,
    ) -> Option<Process> {
        let claims = self.defect != Some(Defect::NoClaim);
        let boot = self.hosts[host].boot;
        let full = self.hosts[host].disk_full;
        let spool = self.hosts[host].spools.entry(attempt).or_default();
        let launcher = |step| Some(Process::Launcher { number, attempt, channel, step });
        match step {
            Step::Claim if claims && spool.claim.is_some() => {
                Some(Process::Verb { ask: Ask::At(attempt, 0), channel, waited: 0 })
            }
            Step::Claim => {
                spool.claim = Some(Claim::Empty);
                self.truth.seen(attempt).claimed_in_boot = Some(boot);
                launcher(Step::Write)
            }
            Step::Write if !full => {
                spool.claim = Some(Claim::Owner { launcher: number, boot });
                launcher(Step::Prepare)
            }
            Step::Prepare if !(full || claims && spool.dir) => {
                *spool = Spool { claim: spool.claim, dir: true, ..Spool::default() };
                launcher(Step::Start)
            }
            Step::Write | Step::Prepare => {
                self.hosts[host].spools.remove(&attempt);
                self.note(|| format!("host {host} refuses attempt {}", attempt.attempt));
                self.say(channel, Said::Err(ErrCode::NoSpace));
                None
            }
            Step::Start => {
                spool.started = Some(boot);
                (spool.waiter_alive, spool.job_alive) = (true, true);
                self.note(|| format!("host {host} starts attempt {}", attempt.attempt));
                let broken = self.truth.started(attempt, &self.store);
                self.hold(attempt.job, broken);
                self.say(channel, Said::Ok);
                if self.random.one_in(8) {
                    self.late.push((host, Ask::Run(attempt)));
                }
                Some(Process::Streamer { attempt, channel, next: 0, end_said: false })
            }
        }
    }

    fn streamer(
        &mut self,
        host: usize,
        attempt: AttemptId,
        channel: usize,
        next: usize,
        end_said: bool,
    ) -> Option<Process> {
        if !self.channels[channel].served || !self.channels[channel].open {
            return None;
        }
        let Some(spool) = self.hosts[host].spools.get_mut(&attempt) else {
            self.say(channel, Said::None);
            return None;
        };
        if spool.started.is_some() && !spool.waiter_alive {
            spool.job_alive = false;
        }
        let size = spool.log.len();
        let rest: Vec<u8> = spool.log.iter().skip(next).take(1 + self.random.below(6)).copied().collect();
        let (over, said) = match self.hosts[host].look(attempt) {
            Ok(Some(state @ (SpoolState::End(_) | SpoolState::Lost { .. }))) => (true, Said::State(state)),
            Ok(Some(_)) => (false, Said::None),
            Ok(None) | Err(()) => {
                self.channels[channel].served = false;
                return None;
            }
        };
        let streamer = |next, end_said| Some(Process::Streamer { attempt, channel, next, end_said });
        if over && !end_said && (next >= size || self.random.one_in(4)) {
            self.say(channel, said);
            return streamer(next, true);
        }
        let sent = rest.len();
        if sent > 0 {
            self.channels[channel].output.push_back(rest);
        }
        streamer(next + sent, end_said)
    }

    /// A running job writes, ends by itself, or hears a signal.
    pub fn job_step(&mut self, host: usize, attempt: AttemptId) {
        let plan = self.plans[&attempt.job];
        let full = self.hosts[host].disk_full;
        let Some(spool) = self.hosts[host].spools.get_mut(&attempt) else { return };
        let exit_code = if spool.dying {
            143
        } else if spool.log.len() < plan.bytes && !full {
            for _ in 0..=self.random.below(4) {
                let byte = (spool.log.len() as u8).wrapping_mul(31) ^ (attempt.job.0.as_u128() as u8);
                spool.log.push(byte);
                self.truth.seen(attempt).written.push(byte);
            }
            return;
        } else if spool.log.len() < plan.bytes {
            1
        } else if plan.endless {
            return;
        } else if plan.too_long {
            spool.cancel.get_or_insert(StopReason::RunLimit);
            143
        } else {
            plan.exit_code
        };
        if !spool.waiter_alive {
            spool.job_alive = false;
            return;
        }
        self.note(|| format!("attempt {} ends with {exit_code}", attempt.attempt));
        if let Some(result) = self.hosts[host].record(attempt, exit_code) {
            self.truth.seen(attempt).results.push(result);
        }
    }
}
