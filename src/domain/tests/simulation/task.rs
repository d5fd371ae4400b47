//! A placed job's task, one step at a time, as `src/dispatch/{attend,run_job}.rs` have it.

use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::recovery::{AfterFault, End, Fault, Resume, Step, after_fault, never_started, resume};

use super::defect::Defect;
use super::dispatcher::{Lane, queued, runner_id};
use super::link::{Ask, Channel};
use super::world::World;

/// Where a start is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Lane(Lane),
    Fresh { connection: u32 },
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Waits for a place on its runner.
    Place,
    Intend(Place),
    Send(Place),
    Attach,
    Follow,
    Settle(End),
    Finish(JobEvent),
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
    /// The dispatcher that it belongs to.
    pub home: usize,
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
    pub fn new(job: Job, home: usize, host: usize, stage: Stage) -> Self {
        Self {
            cancelled: job.cancel.is_some(),
            job,
            home,
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
    pub fn task_step(&mut self, home: usize, number: u32) {
        let Some(task) = self.dispatchers[home].as_mut().and_then(|d| d.tasks.get_mut(&number)) else { return };
        let mut task = task.clone();
        // The worst moment to be stopped: it is decided, and neither committed nor sent.
        let decided = matches!(task.stage, Stage::Send(_) | Stage::NeverStarted | Stage::Finish(_));
        if decided && !self.calm && self.awake().len() == 2 && self.random.one_in(3) {
            return self.pause_dispatcher(home);
        }
        let goes_on = self.stage(&mut task);
        if let Some(dispatcher) = &mut self.dispatchers[home] {
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
            Stage::Place => self.place(task),
            Stage::Intend(place) => return self.intend(task, place),
            Stage::Send(place) => self.send(task, place),
            Stage::Attach => return self.attach(task),
            Stage::Follow => return self.follow(task),
            Stage::Settle(end) => self.settle(task, end),
            Stage::Finish(event) => return self.finish(task, event),
            Stage::Hello { channel, connection } => self.on_hello(task, channel, connection),
            Stage::Fence { channel } => self.on_fence(task, channel),
            Stage::NeverStarted => return self.store_no_start(task),
            Stage::Unassign => match self.commit_for(task, &[JobEvent::Unassigned { why: String::new() }]) {
                Ok(_) => self.back(task),
                Err(fault) => return self.on_fault(task, Step::Unassign, fault),
            },
            Stage::Unsure => return self.look_again(task),
            Stage::QueueAgain => {
                let Some(event) = self.store.jobs.get(&task.job.id).and_then(queued) else { return false };
                self.tell_board(task.home, event);
                task.stage = Stage::Queued;
            }
            Stage::Queued => {
                if self.store.jobs.get(&task.job.id).is_some_and(|job| job.state.is_finished()) {
                    self.tell_board(task.home, BoardEvent::JobDropped(task.job.id));
                }
                return false;
            }
        }
        true
    }

    fn place(&mut self, task: &mut Task) {
        let lane = self.take_lane(task.home, task.host).map(Place::Lane);
        let fresh = || self.contact(task).filter(|_| !task.cancelled).map(|connection| Place::Fresh { connection });
        let Some(place) = lane.or_else(fresh) else { return self.back(task) };
        if self.defect == Some(Defect::StartBeforeCommit) {
            self.start(task, place, AttemptId { job: task.job.id, attempt: task.job.attempt + 1 });
        }
        task.stage = Stage::Intend(place);
    }

    fn intend(&mut self, task: &mut Task, place: Place) -> bool {
        let runner = runner_id(task.host);
        let fault = match self.commit(
            task.home,
            task.job.id,
            None,
            &[JobEvent::Assigned { runner }, JobEvent::StartIntended],
        ) {
            Ok(job) => {
                let boot = self.dispatchers[task.home].as_ref().and_then(|dispatcher| dispatcher.boots[task.host]);
                self.store.intents.insert(job.attempt_id(), boot);
                task.job = job;
                task.stage = Stage::Send(place);
                return true;
            }
            Err(fault) => fault,
        };
        if let (Place::Lane(lane), Some(dispatcher)) = (place, &mut self.dispatchers[task.home]) {
            dispatcher.lanes.push(lane);
        }
        if fault == Fault::Unknown && self.defect == Some(Defect::KeepSlot) {
            return false;
        }
        self.on_fault(task, Step::Intent, fault)
    }

    fn send(&mut self, task: &mut Task, place: Place) {
        if task.channel.is_none() {
            self.start(task, place, task.job.attempt_id());
        }
        task.stored_bytes = self.store.stored_bytes(task.home, task.job.attempt_id());
        task.start_channel = true;
        task.stage = if task.channel.is_some() { Stage::Follow } else { Stage::Attach };
    }

    fn start(&mut self, task: &mut Task, place: Place, attempt: AttemptId) {
        task.channel = match place {
            Place::Fresh { connection } => self.open(task.home, task.host, connection, Ask::Run(attempt)),
            Place::Lane(lane) => self.go_on(task, lane, attempt),
        };
    }

    /// The channel goes on with another attempt; the host removes what the earlier one left, now or later.
    fn go_on(&mut self, task: &Task, lane: Lane, attempt: AttemptId) -> Option<usize> {
        let channel = &mut self.channels[lane.channel];
        if !channel.open || !channel.served {
            return None;
        }
        (channel.open, channel.served) = (false, false);
        if self.random.one_in(2) {
            self.late.push((lane.host, Ask::AckRemove(lane.attempt)));
        }
        self.channels.push(Channel::new(task.home, task.host, Ask::Run(attempt)));
        Some(self.channels.len() - 1)
    }

    fn store_no_start(&mut self, task: &mut Task) -> bool {
        match self.commit_for(task, &[never_started(task.job.attempt, String::new())]) {
            Ok(job) if job.state.is_finished() => return self.over(task),
            Ok(_) => self.back(task),
            Err(fault) => return self.on_fault(task, Step::NoStart, fault),
        }
        true
    }

    pub fn on_fault(&mut self, task: &mut Task, step: Step, fault: Fault) -> bool {
        match after_fault(step, fault) {
            AfterFault::LetGo => self.over(task),
            AfterFault::AskStore => {
                task.stage = Stage::Unsure;
                true
            }
        }
    }

    /// Goes on with the job as it is stored.
    fn look_again(&mut self, task: &mut Task) -> bool {
        let Some(job) = self.store.jobs.get(&task.job.id).cloned() else { return self.over(task) };
        let next = resume(&job.state, runner_id(task.host));
        let (home, host, cancelled) = (task.home, task.host, task.cancelled);
        *task = Task::new(job, home, host, Stage::Attach);
        task.cancelled |= cancelled;
        task.stored_bytes = self.store.stored_bytes(home, task.job.attempt_id());
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
        self.tell_board(task.home, BoardEvent::SlotFreed { runner: runner_id(task.host), job: task.job.id });
        false
    }
}
