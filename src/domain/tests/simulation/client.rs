//! Who submits jobs and cancels them, and how the dispatcher takes it.

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobEvent, JobOrigin, JobSpec, JobState};
use shuntyard_domain::outcome::StopReason;
use uuid::Uuid;

use super::defect::Defect;
use super::dispatcher::queued;
use super::world::World;

/// What a job does.
#[derive(Clone, Copy)]
pub struct Plan {
    pub bytes: usize,
    pub exit_code: i32,
    /// Ends only when it is stopped.
    pub endless: bool,
    /// Runs into its limit.
    pub too_long: bool,
    /// Its queue limit is so short that it may pass.
    pub impatient: bool,
}

impl World {
    pub fn submit(&mut self, home: usize) {
        let id = JobId(Uuid::from_u128(self.plans.len() as u128 + 1));
        let plan = Plan {
            bytes: self.random.below(20),
            exit_code: self.random.below(2) as i32,
            endless: self.random.one_in(4),
            too_long: self.random.one_in(6),
            impatient: self.random.one_in(6),
        };
        self.plans.insert(id, plan);
        let job = Job {
            id,
            origin: JobOrigin::default(),
            spec: JobSpec::shell(""),
            filter: Filter::default(),
            priority: 0,
            state: JobState::Queued,
            attempt: 0,
            version: 1,
            created_at_ms: self.now_ms,
            state_at_ms: self.now_ms,
            cancel: None,
            finished_at_ms: None,
        };
        if self.defect == Some(Defect::AnswerBeforeInsert) {
            self.truth.acknowledged.insert(id);
            self.unstored.push((home, job));
        } else if !self.store.disk_full {
            self.insert(home, job);
        }
    }

    fn insert(&mut self, home: usize, job: Job) {
        self.note(|| format!("job {} is stored and acknowledged", job.id.0.as_u128()));
        self.truth.acknowledged.insert(job.id);
        if let Some(event) = queued(&job) {
            self.tell_board(home, event);
        }
        self.store.jobs.insert(job.id, job);
    }

    pub fn insert_late(&mut self) {
        if let Some((home, job)) = self.unstored.pop() {
            self.insert(home, job);
        }
    }

    /// What was only in memory is gone with its dispatcher.
    pub fn forget_unstored(&mut self, home: usize) {
        self.unstored.retain(|(its, _)| *its != home);
    }

    pub fn client_cancels(&mut self, home: usize) {
        let open: Vec<JobId> =
            self.store.jobs.values().filter(|job| !job.state.is_finished()).map(|job| job.id).collect();
        let endless = |id: &JobId| self.plans[id].endless;
        let open: Vec<JobId> = if self.calm { open.into_iter().filter(endless).collect() } else { open };
        let Some(id) = self.random.pick(&open) else { return };
        if !self.calm && self.random.one_in(3) {
            return;
        }
        if self.store.jobs[&id].cancel.is_none() {
            // The dispatcher itself asks, too: a limit that a host has not kept, a sibling that failed.
            let reasons = [StopReason::User, StopReason::RunLimit, StopReason::FailFast];
            let reason = self.random.pick(&reasons).unwrap_or(StopReason::User);
            if self.commit(home, id, None, &[JobEvent::CancelRequested { by: "client".into(), reason }]).is_err() {
                return;
            }
        } else if self.defect == Some(Defect::CancelToldOnce) {
            return;
        }
        if let Some(dispatcher) = &mut self.dispatchers[home] {
            dispatcher.signals.push_back(id);
        }
    }

    /// The queue's clock ends a job that still waits.
    pub fn expire(&mut self, home: usize) {
        let impatient = |job: &&Job| matches!(job.state, JobState::Queued) && self.plans[&job.id].impatient;
        let Some(id) = self.store.jobs.values().find(impatient).map(|job| job.id) else { return };
        if self.commit(home, id, None, &[JobEvent::Expired]).is_ok()
            && let Some(dispatcher) = &mut self.dispatchers[home]
        {
            dispatcher.signals.push_back(id);
        }
    }

    /// A stored cancel is told to the board and to the job's task.
    pub fn signal(&mut self, home: usize) {
        let Some(dispatcher) = &mut self.dispatchers[home] else { return };
        let Some(id) = dispatcher.signals.pop_front() else { return };
        if self.store.jobs[&id].state.is_finished() {
            dispatcher.inbox.push_back(BoardEvent::JobDropped(id));
        }
        for task in dispatcher.tasks.values_mut().filter(|task| task.job.id == id) {
            task.cancelled = true;
        }
    }
}
