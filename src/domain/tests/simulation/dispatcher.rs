//! One life of a dispatcher with the real board, as `src/dispatch` has it; two may live over one store.
//!
//! What is decided comes from the core; only the waiting and sending are written here a second time, one step at a
//! time, so that a crash can come between any two of them.

use std::collections::{BTreeMap, VecDeque};

use shuntyard_domain::board::{Account, Board, BoardEvent, Effect, Placement, QueuedJob};
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{AttemptId, JobId, RunnerId};
use shuntyard_domain::job::{Job, JobState};
use uuid::Uuid;

use super::link::{Ask, Channel};
use super::task::{Stage, Task};
use super::world::World;

pub fn runner_id(host: usize) -> RunnerId {
    RunnerId(Uuid::from_u128(host as u128 + 1))
}

/// The channel of an ended attempt, kept for the runner's next job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    pub host: usize,
    pub channel: usize,
    pub attempt: AttemptId,
}

pub struct Dispatcher {
    pub board: Board,
    pub inbox: VecDeque<BoardEvent>,
    pub tasks: BTreeMap<u32, Task>,
    numbers: u32,
    /// The connection that the keeper holds to each host.
    pub contact: Vec<Option<u32>>,
    /// The boot of each host when that connection was made.
    pub boots: Vec<Option<u32>>,
    /// A channel on which the spools of a host were asked for.
    pub sweeps: Vec<Option<usize>>,
    /// Cancels that are stored, and of which nobody was told.
    pub signals: VecDeque<JobId>,
    pub lanes: Vec<Lane>,
    /// Its process is stopped, and goes on later from where it stood.
    pub paused: bool,
}

impl World {
    /// A dispatcher starts and takes up what is not finished.
    pub fn start_dispatcher(&mut self, home: usize) {
        self.note(|| format!("dispatcher {home} starts"));
        let hosts = self.hosts.len();
        let mut dispatcher = Dispatcher {
            board: Board::new(Placement::default()),
            inbox: VecDeque::new(),
            tasks: BTreeMap::new(),
            numbers: 0,
            contact: vec![None; hosts],
            boots: vec![None; hosts],
            sweeps: vec![None; hosts],
            signals: VecDeque::new(),
            lanes: Vec::new(),
            paused: false,
        };
        let unfinished = || self.store.jobs.values().filter(|job| !job.state.is_finished());
        for job in unfinished() {
            if let Some(host) = (0..hosts).find(|host| job.state.runner() == Some(runner_id(*host))) {
                dispatcher.inbox.push_back(BoardEvent::SlotTaken {
                    runner: runner_id(host),
                    job: job.id,
                    account: Account::default(),
                });
                dispatcher.add(Task::new(job.clone(), home, host, Stage::Unsure));
            }
        }
        dispatcher.inbox.extend(unfinished().filter_map(queued));
        self.dispatchers[home] = Some(dispatcher);
    }

    /// Dispatchers that run just now.
    pub fn awake(&self) -> Vec<usize> {
        let awake = |home: &usize| self.dispatchers[*home].as_ref().is_some_and(|d| !d.paused);
        (0..self.dispatchers.len()).filter(awake).collect()
    }

    pub fn board_step(&mut self, home: usize) {
        let Some(dispatcher) = &mut self.dispatchers[home] else { return };
        let Some(event) = dispatcher.inbox.pop_front() else { return };
        for Effect::Assign { job, runner } in dispatcher.board.step(event) {
            let Some(job) = self.store.jobs.get(&job).cloned() else { continue };
            let host = (runner.0.as_u128() - 1) as usize;
            // A fresh placement listens to its own cancel signal.
            dispatcher.add(Task { cancelled: false, ..Task::new(job, home, host, Stage::Place) });
        }
    }

    /// Opens a channel on a connection, if that still lives.
    pub fn open(&mut self, home: usize, host: usize, connection: u32, ask: Ask) -> Option<usize> {
        let known = &self.hosts[host];
        if known.connection != connection || !known.reachable || !known.installed {
            return None;
        }
        self.channels.push(Channel::new(home, host, ask));
        Some(self.channels.len() - 1)
    }

    pub fn tell_board(&mut self, home: usize, event: BoardEvent) {
        if let Some(dispatcher) = &mut self.dispatchers[home] {
            dispatcher.inbox.push_back(event);
        }
    }

    /// A channel of an ended attempt on which the host's next job can be started.
    pub fn take_lane(&mut self, home: usize, host: usize) -> Option<Lane> {
        let channels = &self.channels;
        let lanes = &mut self.dispatchers[home].as_mut()?.lanes;
        let open = |lane: &Lane| channels[lane.channel].open && channels[lane.channel].served;
        let at = lanes.iter().rposition(|lane| lane.host == host && open(lane))?;
        Some(lanes.swap_remove(at))
    }

    /// Nobody wanted a lane in its time: the host may forget the attempt.
    pub fn lane_step(&mut self, home: usize) {
        let Some(lane) = self.dispatchers[home].as_mut().and_then(|dispatcher| dispatcher.lanes.pop()) else { return };
        self.channels[lane.channel].to_host.push_back(Ask::AckRemove(lane.attempt));
    }
}

impl Dispatcher {
    fn add(&mut self, task: Task) {
        self.numbers += 1;
        self.tasks.insert(self.numbers, task);
    }
}

/// What the board is told of a job that waits; nothing of any other.
pub fn queued(job: &Job) -> Option<BoardEvent> {
    matches!(job.state, JobState::Queued).then(|| {
        BoardEvent::JobQueued(QueuedJob {
            id: job.id,
            filter: Filter::default(),
            priority: job.priority,
            account: Account::default(),
            avoid: Vec::new(),
            workspace: None,
        })
    })
}
