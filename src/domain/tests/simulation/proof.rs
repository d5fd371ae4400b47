//! Asking a host that does not know an attempt, as `src/dispatch/follow/proof.rs` does it.

use shuntyard_domain::job::{JobEvent, JobState};
use shuntyard_domain::outcome::{LogSummary, LostEvidence};
use shuntyard_domain::recovery::{FenceWord, Verdict, identity, judge_fence, judge_identity};
use shuntyard_domain::wire::control::ErrCode;

use super::defect::Defect;
use super::link::{Ask, Said};
use super::task::{Stage, Task};
use super::world::World;

impl World {
    pub fn on_unknown(&mut self, task: &mut Task) {
        if task.running {
            self.commit_running(task);
            if task.stage == Stage::Unsure {
                return;
            }
        }
        self.link_lost(task);
        if self.defect == Some(Defect::NoFence) && matches!(task.job.state, JobState::Starting { .. }) {
            task.stage = Stage::NeverStarted;
            return;
        }
        let Some(connection) = self.contact(task) else { return };
        if let Some(channel) = self.open(task.host, connection, Ask::Hello) {
            task.stage = Stage::Hello { channel, connection };
        }
    }

    pub fn on_hello(&mut self, task: &mut Task, channel: usize, connection: u32) {
        let Some(Said::Hello(shown)) = self.answer_of(task, channel) else { return };
        match judge_identity(identity(&self.store.instances[task.host], &shown)) {
            Some(verdict) => self.on_verdict(task, verdict),
            None => match self.open(task.host, connection, Ask::Fence(task.job.attempt_id())) {
                Some(channel) => task.stage = Stage::Fence { channel },
                None => self.link_lost(task),
            },
        }
    }

    pub fn on_fence(&mut self, task: &mut Task, channel: usize) {
        let word = match self.answer_of(task, channel) {
            Some(Said::Fenced) => FenceWord::Fenced,
            Some(Said::State(state)) => FenceWord::Exists(state),
            Some(Said::Err(ErrCode::Removed)) => FenceWord::Removed,
            Some(_) => return self.link_lost(task),
            None => return,
        };
        self.note(|| format!("a fence of attempt {} is answered {word:?}", task.job.attempt));
        self.on_verdict(task, judge_fence(&task.job.state, word));
    }

    /// Waits for one answer; without a channel any more the host is asked anew.
    fn answer_of(&mut self, task: &mut Task, channel: usize) -> Option<Said> {
        let said = self.channels[channel].said.pop_front();
        if said.is_none() && self.channels[channel].is_over() {
            self.link_lost(task);
        }
        said
    }

    fn on_verdict(&mut self, task: &mut Task, verdict: Verdict) {
        match verdict {
            Verdict::NeverStarted => task.stage = Stage::NeverStarted,
            Verdict::Lost(evidence) => task.stage = lost(evidence, self.store.seal(task.job.attempt_id())),
            Verdict::Undecided => self.link_lost(task),
        }
    }
}

pub fn lost(evidence: LostEvidence, stored: LogSummary) -> Stage {
    let log = LogSummary { truncated: true, ..stored };
    Stage::Finish { event: JobEvent::LostProven { evidence, log }, acknowledge: false }
}
