//! Asking a host that does not know an attempt, as `src/dispatch/follow/proof.rs` does it.

use shuntyard_domain::attempt::Boot;
use shuntyard_domain::job::JobState;
use shuntyard_domain::recovery::{FenceWord, Identity, Verdict, identity, judge_fence, judge_identity, lost};
use shuntyard_domain::wire::control::ErrCode;

use super::defect::Defect;
use super::link::{Ask, Said};
use super::task::{Stage, Task};
use super::world::World;

impl World {
    /// Tells whether the task goes on.
    pub fn on_unknown(&mut self, task: &mut Task) -> bool {
        if task.running {
            let goes_on = self.commit_running(task);
            if !goes_on || task.stage == Stage::Unsure {
                return goes_on;
            }
        }
        self.link_lost(task);
        if self.defect == Some(Defect::NoFence) && matches!(task.job.state, JobState::Starting { .. }) {
            task.stage = Stage::NeverStarted;
            return true;
        }
        let Some(connection) = self.contact(task) else { return true };
        if let Some(channel) = self.open(task.home, task.host, connection, Ask::Hello) {
            task.stage = Stage::Hello { channel, connection };
        }
        true
    }

    pub fn on_hello(&mut self, task: &mut Task, channel: usize, connection: u32) {
        let Some(Said::Hello(shown)) = self.answer_of(task, channel) else { return };
        let who = match self.defect {
            Some(Defect::NoIdentity) => Identity::Same,
            _ => identity(&self.store.instances[task.host], Some(&shown)),
        };
        match judge_identity(who) {
            Some(verdict) => self.on_verdict(task, verdict),
            None => match self.open(task.home, task.host, connection, Ask::Fence(task.job.attempt_id())) {
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
        let boot = self.boot_since_intent(task);
        self.on_verdict(task, judge_fence(&task.job.state, word, boot));
    }

    fn boot_since_intent(&self, task: &Task) -> Boot {
        let now = self.hosts[task.host].boot;
        match self.store.intents.get(&task.job.attempt_id()) {
            _ if self.defect == Some(Defect::AnyBoot) => Boot::Same,
            Some(Some(then)) if *then == now => Boot::Same,
            Some(Some(_)) => Boot::Another,
            Some(None) | None => Boot::Unknown,
        }
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
            Verdict::NeverStarted => {
                self.reach("a fence that holds");
                task.stage = Stage::NeverStarted;
            }
            Verdict::Lost(evidence) => match self.store.seal(task.home, task.job.attempt_id()) {
                Ok(stored) => task.stage = Stage::Finish(lost(&task.job, evidence, stored)),
                Err(_) => self.link_lost(task),
            },
            Verdict::Undecided => {
                self.reach("an answer that proves nothing");
                self.link_lost(task);
            }
        }
    }
}
