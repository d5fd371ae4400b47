//! Following an attempt, one step at a time, as `src/dispatch/follow.rs` does it.

use shuntyard_domain::job::{JobEvent, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
use shuntyard_domain::recovery::{End, MAX_TAILS_OVERDUE, RefusedOn, Step, lost, refusal_proves_no_start};
use shuntyard_domain::wire::control::SpoolState;

use super::defect::Defect;
use super::dispatcher::Lane;
use super::link::{Ask, Said};
use super::task::{Stage, Task};
use super::world::World;

impl World {
    pub fn contact(&self, task: &Task) -> Option<u32> {
        self.dispatchers[task.home].as_ref().and_then(|dispatcher| dispatcher.contact[task.host])
    }

    /// The channel is gone: what became of the job is not known from it.
    pub fn link_lost(&mut self, task: &mut Task) {
        if let Some(channel) = task.channel.take() {
            self.channels[channel].open = false;
        }
        task.stage = Stage::Attach;
    }

    pub fn attach(&mut self, task: &mut Task) -> bool {
        let Some(stored) = self.store.jobs.get(&task.job.id) else { return self.over(task) };
        if stored.state.is_finished() {
            return self.over(task);
        }
        task.cancelled |= stored.cancel.is_some();
        (task.cancel_sent, task.start_channel, task.end) = (false, false, None);
        task.running |= std::mem::take(&mut task.confirmed);
        let Some(connection) = self.contact(task) else {
            if self.defect == Some(Defect::RescueByTime) && self.random.one_in(4) {
                task.stage = match task.job.state {
                    JobState::Running { .. } => {
                        Stage::Finish(lost(&task.job, LostEvidence::SpoolGone, LogSummary::default()))
                    }
                    _ => Stage::NeverStarted,
                };
            }
            return true;
        };
        task.received_bytes = task.stored_bytes;
        let ask = Ask::At(task.job.attempt_id(), task.stored_bytes);
        task.channel = self.open(task.home, task.host, connection, ask);
        if task.channel.is_some() {
            task.stage = Stage::Follow;
        }
        true
    }

    /// Takes one of the things that a task may wake up for.
    pub fn follow(&mut self, task: &mut Task) -> bool {
        if let Some(end) = task.end.filter(|end| end.may_settle(task.stored_bytes as u64, task.tails_overdue)) {
            task.stage = Stage::Settle(end);
            return true;
        }
        let Some(at) = task.channel else { return self.attach(task) };
        match self.random.below(10) {
            0 if task.confirmed => {
                task.confirmed = false;
                task.running = true;
            }
            0 | 1 if task.running => return self.commit_running(task),
            2 if task.cancelled && !task.cancel_sent => {
                task.cancel_sent = true;
                self.channels[at].to_host.push_back(Ask::Cancel(task.job.attempt_id()));
            }
            3 if task.cancel_sent && self.random.one_in(20) => {
                if let Some(connection) = self.contact(task) {
                    self.open(task.home, task.host, connection, Ask::Kill(task.job.attempt_id()));
                    self.link_lost(task);
                }
            }
            4 if task.end.is_some() && self.random.one_in(8) => {
                task.tails_overdue += 1;
                if task.tails_overdue <= MAX_TAILS_OVERDUE {
                    self.link_lost(task);
                }
            }
            5 | 6 => {
                if let Some(bytes) = self.channels[at].output.pop_front() {
                    self.store_output(task, &bytes);
                }
            }
            _ => match self.channels[at].said.pop_front() {
                Some(said) => return self.on_said(task, said),
                None if self.channels[at].is_over() => self.link_lost(task),
                None => {}
            },
        }
        true
    }

    fn store_output(&mut self, task: &mut Task, bytes: &[u8]) {
        let checked = self.defect != Some(Defect::NoOffsetCheck);
        let room = self.random.below(bytes.len() + 1);
        let by_stored = self.defect == Some(Defect::OffsetOfStored);
        let offset = if by_stored { task.stored_bytes } else { task.received_bytes };
        let log = (task.home, task.job.attempt_id());
        task.received_bytes += bytes.len();
        match self.store.append(log, offset, bytes, room, checked) {
            Ok(stored) => {
                task.stored_bytes = stored;
                task.tails_overdue = 0;
            }
            Err(_) => {
                // The length is asked for again, and a disk that refuses may refuse that, too.
                let told = self.random.one_in(2) && self.defect != Some(Defect::OffsetOfStored);
                task.stored_bytes = if told { self.store.stored_bytes(log.0, log.1) } else { task.stored_bytes };
                self.link_lost(task);
            }
        }
    }

    pub fn commit_running(&mut self, task: &mut Task) -> bool {
        task.running = false;
        match self.commit_for(task, &[JobEvent::Started]) {
            Ok(job) => task.job = job,
            Err(fault) => return self.on_fault(task, Step::Running, fault),
        }
        true
    }

    fn on_said(&mut self, task: &mut Task, said: Said) -> bool {
        match said {
            Said::Ok | Said::At => {
                if !task.running && matches!(task.job.state, JobState::Starting { .. }) {
                    task.confirmed = said == Said::Ok;
                    task.running = said == Said::At;
                }
            }
            Said::State(SpoolState::End(record)) => task.end = Some(End::Result(record)),
            Said::State(SpoolState::Lost { why, size }) => task.end = Some(End::Lost { why, size }),
            Said::None | Said::Fenced => return self.on_unknown(task),
            Said::Err(code) => {
                let start_confirmed = task.confirmed || task.running;
                let on = RefusedOn { start_channel: task.start_channel, start_confirmed };
                if !refusal_proves_no_start(&task.job.state, on, code) {
                    return self.on_unknown(task);
                }
                self.reach("a refused start");
                task.stage = Stage::NeverStarted;
            }
            Said::State(_) | Said::Hello(_) | Said::List(_) => self.link_lost(task),
        }
        true
    }

    pub fn settle(&mut self, task: &mut Task, end: End) {
        let Ok(summary) = self.store.seal(task.home, task.job.attempt_id()) else { return self.link_lost(task) };
        if std::mem::take(&mut task.running) {
            match self.commit_for(task, &[JobEvent::Started]) {
                Ok(job) => task.job = job,
                // It is stored with the end.
                Err(_) => task.confirmed = true,
            }
        }
        if self.defect == Some(Defect::ForgetBeforeEnd)
            && let Some(channel) = task.channel
        {
            self.channels[channel].to_host.push_back(Ask::AckRemove(task.job.attempt_id()));
        }
        task.stage = Stage::Finish(end.event(&task.job, summary, summary.into()));
    }

    pub fn finish(&mut self, task: &mut Task, event: JobEvent) -> bool {
        let started = task.confirmed.then_some(JobEvent::Started);
        let events: Vec<JobEvent> = started.into_iter().chain([event]).collect();
        let goes_on = match self.commit_for(task, &events) {
            Ok(_) => self.over(task),
            Err(fault) => self.on_fault(task, Step::End, fault),
        };
        if !goes_on && let (Some(channel), Some(dispatcher)) = (task.channel, &mut self.dispatchers[task.home]) {
            dispatcher.lanes.push(Lane { host: task.host, channel, attempt: task.job.attempt_id() });
        }
        goes_on
    }
}
