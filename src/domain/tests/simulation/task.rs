//! A placed job's task, one step at a time, as `src/dispatch/{attend,run_job}.rs` have it.

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::recovery::{End, Resume, never_started, resume};

use super::defect::Defect;
use super::dispatcher::{queued, runner_id};
use super::link::Ask;
use super::store::StoreFault;
use super::world::World;

/// Where a task stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Waits for a place on its runner.
    Place,
    Intend {
        connection: u32,
    },
    Send {
        connection: u32,
    },
    Attach,
    Follow,
    Settle(End),
    Finish {
        event: JobEvent,
        acknowledge: bool,
    },
    Hello {
        channel: usize,
        connection: u32,
    },
    Fence {
        channel: usize,
    },
    NeverStarted,
    /// The store is asked what is known.
    Unsure,
    Unassign,
    QueueAgain,
    /// The board may have learnt of it after a cancel.
    Queued,
}

/// Looks after one placed job.
#[derive(Clone)]
pub struct Task {
    pub job: Job,
    pub host: usize,
    pub stage: Stage,
    pub cancelled: bool,
    pub cancel_sent: bool,
    pub channel: Option<usize>,
    pub stored_bytes: usize,
    /// Where the channel's next byte belongs: a write that failed may have stored more than was heard of.
    pub received_bytes: usize,
    pub start_channel: bool,
    /// The host says that it runs, and no commit of it was begun.
    pub confirmed: bool,
    /// A commit of `running` is under way.
    pub running: bool,
    pub end: Option<End>,
    pub tails_overdue: u32,
}

impl Task {
    pub fn new(job: Job, host: usize, stage: Stage) -> Self {
        Self {
            cancelled: job.cancel.is_some(),
            job,
            host,
            stage,
            cancel_sent: false,
            channel: None,
            stored_bytes: 0,
            received_bytes: 0,
            start_channel: false,
            confirmed: false,
            running: false,
            end: None,
            tails_overdue: 0,
        }
    }
}

impl World {
    pub fn task_step(&mut self, number: u32) {
        let Some(task) = self.dispatcher.as_mut().and_then(|d| d.tasks.get_mut(&number)) else { return };
        let mut task = task.clone();
        let goes_on = self.stage(&mut task);
        if let Some(dispatcher) = &mut self.dispatcher {
            if goes_on {
                dispatcher.tasks.insert(number, task)
            } else {
                dispatcher.tasks.remove(&number)
            };
        }
    }

    /// Tells whether the task goes on.
    fn stage(&mut self, task: &mut Task) -> bool {
        match task.stage.clone() {
            Stage::Place => return self.place(task),
            Stage::Intend { connection } => return self.intend(task, connection),
            Stage::Send { connection } => {
                let sent_early = task.channel.is_some();
                if !sent_early {
                    task.channel = self.open(task.host, connection, Ask::Run(task.job.attempt_id()));
                }
                task.stored_bytes = self.store.stored_bytes(task.job.attempt_id());
                task.start_channel = true;
                task.stage = if task.channel.is_some() { Stage::Follow } else { Stage::Attach };
            }
            Stage::Attach => return self.attach(task),
            Stage::Follow => return self.follow(task),
            Stage::Settle(end) => self.settle(task, end),
            Stage::Finish { event, acknowledge } => return self.finish(task, event, acknowledge),
            Stage::Hello { channel, connection } => self.on_hello(task, channel, connection),
            Stage::Fence { channel } => self.on_fence(task, channel),
            Stage::NeverStarted => {
                let attempt = self.store.jobs.get(&task.job.id).map_or(0, |job| job.attempt);
                match self.commit(task.job.id, &[never_started(attempt, String::new())]) {
                    Ok(job) if job.state.is_finished() => return self.over(task),
                    Ok(_) => self.back(task),
                    Err(_) => task.stage = Stage::Unsure,
                }
            }
            Stage::Unassign => match self.commit(task.job.id, &[JobEvent::Unassigned { why: String::new() }]) {
                Ok(_) => self.back(task),
                Err(_) => task.stage = Stage::Unsure,
            },
            Stage::Unsure => return self.look_again(task),
            Stage::QueueAgain => {
                let Some(event) = self.store.jobs.get(&task.job.id).and_then(queued) else { return false };
                self.tell_board(event);
                task.stage = Stage::Queued;
            }
            Stage::Queued => {
                if self.store.jobs.get(&task.job.id).is_some_and(|job| job.state.is_finished()) {
                    self.tell_board(BoardEvent::JobDropped(task.job.id));
                }
                return false;
            }
        }
        true
    }

    fn place(&mut self, task: &mut Task) -> bool {
        let Some(dispatcher) = &self.dispatcher else { return false };
        match dispatcher.contact[task.host] {
            Some(connection) if !task.cancelled => {
                task.stage = Stage::Intend { connection };
                if self.defect == Some(Defect::StartBeforeCommit) {
                    let next = AttemptId { job: task.job.id, attempt: task.job.attempt + 1 };
                    task.channel = self.open(task.host, connection, Ask::Run(next));
                }
            }
            _ => self.back(task),
        }
        true
    }

    fn intend(&mut self, task: &mut Task, connection: u32) -> bool {
        let runner = runner_id(task.host);
        match self.commit(task.job.id, &[JobEvent::Assigned { runner }, JobEvent::StartIntended]) {
            Ok(job) => {
                task.job = job;
                task.stage = Stage::Send { connection };
            }
            Err(StoreFault::Illegal(_)) => return self.over(task),
            Err(StoreFault::Failed) if self.defect == Some(Defect::KeepSlot) => return false,
            Err(StoreFault::Failed) => task.stage = Stage::Unsure,
        }
        true
    }

    /// Goes on with the job as it is stored.
    fn look_again(&mut self, task: &mut Task) -> bool {
        let Some(job) = self.store.jobs.get(&task.job.id).cloned() else { return self.over(task) };
        let next = resume(&job.state, runner_id(task.host));
        let (host, cancelled) = (task.host, task.cancelled);
        *task = Task::new(job, host, Stage::Attach);
        task.cancelled |= cancelled;
        task.stored_bytes = self.store.stored_bytes(task.job.attempt_id());
        match next {
            Resume::Queue => self.back(task),
            Resume::Unassign => task.stage = Stage::Unassign,
            Resume::Follow => {}
            Resume::LetGo => return self.over(task),
        }
        true
    }

    /// The slot is free, and the job waits again if the store says so.
    fn back(&mut self, task: &mut Task) {
        self.over(task);
        task.stage = Stage::QueueAgain;
    }

    pub fn over(&mut self, task: &Task) -> bool {
        self.tell_board(BoardEvent::SlotFreed { runner: runner_id(task.host), job: task.job.id });
        false
    }
}
