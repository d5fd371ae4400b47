//! Following an attempt, one step at a time, as `src/dispatch/follow.rs` does it.

use shuntyard_domain::job::{JobEvent, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
use shuntyard_domain::recovery::{End, MAX_TAILS_OVERDUE, RefusedOn, refusal_proves_no_start};
use shuntyard_domain::wire::control::SpoolState;

use super::defect::Defect;
use super::link::{Ask, Said};
use super::proof::lost;
use super::store::StoreFault;
use super::task::{Stage, Task};
use super::world::World;

impl World {
    pub fn contact(&self, task: &Task) -> Option<u32> {
        self.dispatcher.as_ref().and_then(|dispatcher| dispatcher.contact[task.host])
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
                    JobState::Running { .. } => lost(LostEvidence::SpoolGone, LogSummary::default()),
                    _ => Stage::NeverStarted,
                };
            }
            return true;
        };
        task.received_bytes = task.stored_bytes;
        let ask = Ask::At(task.job.attempt_id(), task.stored_bytes);
        task.channel = self.open(task.host, connection, ask);
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
            0 | 1 if task.running => self.commit_running(task),
            2 if task.cancelled && !task.cancel_sent => {
                task.cancel_sent = true;
                self.channels[at].to_host.push_back(Ask::Cancel(task.job.attempt_id()));
            }
            3 if task.cancel_sent && self.random.one_in(20) => {
                if let Some(connection) = self.contact(task) {
                    self.open(task.host, connection, Ask::Kill(task.job.attempt_id()));
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
                Some(said) => self.on_said(task, said),
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
        task.received_bytes += bytes.len();
        match self.store.append(task.job.attempt_id(), offset, bytes, room, checked) {
            Ok(stored) => {
                task.stored_bytes = stored;
                task.tails_overdue = 0;
            }
            Err(_) => self.link_lost(task),
        }
    }

    pub fn commit_running(&mut self, task: &mut Task) {
        task.running = false;
        match self.commit(task.job.id, &[JobEvent::Started]) {
            Ok(job) => task.job = job,
            Err(_) => task.stage = Stage::Unsure,
        }
    }

    fn on_said(&mut self, task: &mut Task, said: Said) {
        match said {
            Said::Ok | Said::At => {
                if !task.running && matches!(task.job.state, JobState::Starting { .. }) {
                    task.confirmed = said == Said::Ok;
                    task.running = said == Said::At;
                }
            }
            Said::State(SpoolState::End(record)) => task.end = Some(End::Result(record)),
            Said::State(SpoolState::Lost { why, size }) => task.end = Some(End::Lost { why, size }),
            Said::None | Said::Fenced => self.on_unknown(task),
            Said::Err(code) => {
                let on =
                    RefusedOn { start_channel: task.start_channel, start_confirmed: task.confirmed || task.running };
                if refusal_proves_no_start(&task.job.state, on, code) {
                    task.stage = Stage::NeverStarted;
                } else {
                    self.on_unknown(task);
                }
            }
            Said::State(_) | Said::Hello(_) | Said::List(_) => self.link_lost(task),
        }
    }

    pub fn settle(&mut self, task: &mut Task, end: End) {
        let summary = self.store.seal(task.job.attempt_id());
        if std::mem::take(&mut task.running)
            && let Ok(job) = self.commit(task.job.id, &[JobEvent::Started])
        {
            task.job = job;
        }
        if self.defect == Some(Defect::ForgetBeforeEnd) {
            self.acknowledge(task);
        }
        task.stage = Stage::Finish { event: end.event(summary), acknowledge: true };
    }

    pub fn finish(&mut self, task: &mut Task, event: JobEvent, acknowledge: bool) -> bool {
        let started = task.confirmed.then_some(JobEvent::Started);
        let events: Vec<JobEvent> = started.into_iter().chain([event]).collect();
        match self.commit(task.job.id, &events) {
            Ok(_) | Err(StoreFault::Illegal(_)) => {
                if acknowledge {
                    self.acknowledge(task);
                }
                self.over(task)
            }
            Err(StoreFault::Failed) => {
                task.stage = Stage::Unsure;
                true
            }
        }
    }

    fn acknowledge(&mut self, task: &Task) {
        if let Some(channel) = task.channel {
            self.channels[channel].to_host.push_back(Ask::AckRemove(task.job.attempt_id()));
        }
    }
}
