//! One life of a dispatcher: the real board, and a keeper for each host, as `src/dispatch` has them.
//!
//! What is decided comes from the core; only the waiting and sending are written here a second time, one step at a
//! time, so that a crash can come between any two of them.

use std::collections::{BTreeMap, VecDeque};

use shuntyard_domain::board::{Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::recovery::spool_may_go;
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

use super::link::{Ask, Channel, Said};
use super::task::{Stage, Task};
use super::world::World;

pub fn runner_id(host: usize) -> RunnerId {
    RunnerId(Uuid::from_u128(host as u128 + 1))
}

pub struct Dispatcher {
    pub board: Board,
    pub inbox: VecDeque<BoardEvent>,
    pub tasks: BTreeMap<u32, Task>,
    numbers: u32,
    /// The connection that the keeper holds to each host.
    pub contact: Vec<Option<u32>>,
    /// A channel on which the spools of a host were asked for.
    sweeps: Vec<Option<usize>>,
    /// Cancels that are stored, and of which nobody was told.
    pub signals: VecDeque<JobId>,
}

impl World {
    /// A dispatcher starts and takes up what is not finished.
    pub fn start_dispatcher(&mut self) {
        let hosts = self.hosts.len();
        let mut dispatcher = Dispatcher {
            board: Board::new(Placement::default()),
            inbox: VecDeque::new(),
            tasks: BTreeMap::new(),
            numbers: 0,
            contact: vec![None; hosts],
            sweeps: vec![None; hosts],
            signals: VecDeque::new(),
        };
        let unfinished = || self.store.jobs.values().filter(|job| !job.state.is_finished());
        for job in unfinished() {
            if let Some(host) = (0..hosts).find(|host| job.state.runner() == Some(runner_id(*host))) {
                dispatcher.inbox.push_back(BoardEvent::SlotTaken { runner: runner_id(host), job: job.id });
                dispatcher.add(Task::new(job.clone(), host, Stage::Unsure));
            }
        }
        dispatcher.inbox.extend(unfinished().filter_map(queued));
        self.dispatcher = Some(dispatcher);
    }

    pub fn board_step(&mut self) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let Some(event) = dispatcher.inbox.pop_front() else { return };
        for Effect::Assign { job, runner } in dispatcher.board.step(event) {
            let Some(job) = self.store.jobs.get(&job).cloned() else { continue };
            let host = (runner.0.as_u128() - 1) as usize;
            // A fresh placement listens to its own cancel signal.
            dispatcher.add(Task { cancelled: false, ..Task::new(job, host, Stage::Place) });
        }
    }

    /// The keeper looks at its connection, and sweeps spools behind a new one.
    pub fn keeper_step(&mut self, host: usize) {
        let known = &self.hosts[host];
        let now = (known.reachable && known.installed && !known.paused).then_some(known.connection);
        let Some(dispatcher) = &mut self.dispatcher else { return };
        if let Some(channel) = dispatcher.sweeps[host] {
            let said = self.channels[channel].said.pop_front();
            let over = self.channels[channel].is_over();
            if let Some(Said::List(attempts)) = said {
                for attempt in attempts {
                    if spool_may_go(self.store.jobs.get(&attempt.job)) {
                        self.open(host, known_connection(now), Ask::Remove(attempt));
                    }
                }
            } else if !over {
                return;
            }
            if let Some(dispatcher) = &mut self.dispatcher {
                dispatcher.sweeps[host] = None;
            }
            return;
        }
        if dispatcher.contact[host] == now {
            return;
        }
        dispatcher.contact[host] = now;
        let availability = if now.is_some() { Availability::Ready } else { Availability::Unreachable };
        dispatcher.inbox.push_back(BoardEvent::RunnerChanged(BoardRunner {
            id: runner_id(host),
            attributes: Attributes::default(),
            scope: Scope::Enterprise,
            slots: self.slots,
            availability,
        }));
        let sweep = self.open(host, known_connection(now), Ask::Status);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.sweeps[host] = sweep;
        }
    }

    /// Opens a channel on a connection, if that still lives.
    pub fn open(&mut self, host: usize, connection: u32, ask: Ask) -> Option<usize> {
        let known = &self.hosts[host];
        if known.connection != connection || !known.reachable || !known.installed {
            return None;
        }
        self.channels.push(Channel::new(host, ask));
        Some(self.channels.len() - 1)
    }

    pub fn tell_board(&mut self, event: BoardEvent) {
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.inbox.push_back(event);
        }
    }
}

const fn known_connection(contact: Option<u32>) -> u32 {
    match contact {
        Some(connection) => connection,
        None => 0,
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
            org: "default".into(),
        })
    })
}
