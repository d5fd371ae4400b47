//! Which runner takes which job.
//!
//! Jobs with the same canonical filter and organisation form a *class*. A class knows its waiting jobs
//! and those of its runners that have a free slot; a runner knows the classes that it satisfies. Jobs of
//! a class that count under the same limits (of their project, of their group) wait in one *lane*; the *gate*
//! of a limit that is reached takes its lanes out of their classes' heads. After every step no waiting job
//! whose limits have room has an eligible runner with a free slot, so a class with heads has no free runner,
//! and a runner with a free slot has only classes without heads. While the queue is paused no runner counts as free.
//!
//! Who goes first: of the jobs that could be taken now, the one with the smallest rank (`queue::Rank`).
//! A job whose limit is taken, or that nobody can take, keeps nobody behind it from being taken.
//!
//! What an event costs, with C the classes of the runner that it concerns, and L the lanes of a limit that
//! is reached by it, or has room again behind it with no waiting job to fill it:
//!
//! | event | cost |
//! |---|---|
//! | `JobQueued`, nobody is free | O(log jobs) |
//! | `JobQueued`, somebody is free | O(C · log runners), O(L · log jobs) |
//! | `JobQueued`, first of a class that the board does not hold | O(runners) |
//! | `JobDropped` | O(log jobs) |
//! | `SlotFreed`, `SlotTaken` | O(C) while the runner is full or fills up, else O(C · log runners); O(L · log jobs) |
//! | `RunnerChanged`, `RunnerRemoved` | O(all classes + slots · C), O(L · log jobs) |
//! | `LimitChanged` | O(L · log jobs), and what is placed by it |
//! | `QueuePaused` | O(runners · C · log runners), and O(all classes) for each job that is placed by it |
//!
//! The board is deterministic: the same history of events gives the same effects.

mod account;
mod asked;
mod class_set;
mod classes;
mod demand;
mod gates;
mod lanes;
mod pause;
mod placement;
mod runners;
mod settle;
mod step;
mod trees;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::closed::closed_list;
use crate::digest::Digest;
use crate::explain::Explanation;
use crate::filter::{Attributes, Filter};
use crate::ids::{JobId, RunnerId};
use crate::runner::Scope;

pub use account::{Account, LimitKind};
use classes::Classes;
pub(crate) use classes::{accepts, serves};
pub use demand::Use;
use gates::Gates;
use lanes::Lanes;
pub use placement::Placement;
use placement::Placer;
use runners::Runners;
use trees::Trees;

/// Classes without waiting jobs that the board keeps, so that their next job finds its runners at once.
const IDLE_CLASSES_MAX: usize = 512;

/// A job that wants a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedJob {
    pub id: JobId,
    pub filter: Filter,
    /// Higher goes first.
    pub priority: i32,
    /// Organisation (for the scope of runners too), project and group: the limits that it counts under.
    pub account: Account,
    /// The tree of files that it starts in: of equally loaded runners one that was given it last goes first.
    pub workspace: Option<Digest>,
    /// Runners on which earlier attempts came to nothing: taken only when no other is free.
    pub avoid: Vec<RunnerId>,
}

closed_list!(
    /// Whether a runner takes jobs, and if not, why not.
    Availability {
        Ready = "ready", Pending = "pending", Draining = "draining", Disabled = "disabled",
        Quarantined = "quarantined", Unreachable = "unreachable", Unhealthy = "unhealthy",
        /// It takes one job, and was given it.
        Spent = "spent",
    }
);

/// What the board must know about a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRunner {
    pub id: RunnerId,
    pub attributes: Attributes,
    pub scope: Scope,
    /// Jobs it may run at a time.
    pub slots: u32,
    pub availability: Availability,
}

/// Something that happened and may let a job start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardEvent {
    /// A job waits: new, or back because its placement was given back. For a job that waits already
    /// this replaces its filter and priority. A slot that the job still holds stays taken until `SlotFreed`.
    JobQueued(QueuedJob),
    /// A waiting job was cancelled or has expired. Unknown ids are ignored.
    JobDropped(JobId),
    /// A runner is new, or its facts, labels, scope, slots or availability changed.
    RunnerChanged(BoardRunner),
    /// A runner left the inventory; the slots that were taken on it are forgotten. Unknown ids are ignored.
    RunnerRemoved(RunnerId),
    /// Recovery found the job on the runner: it waits no longer, and the runner may now hold more jobs than
    /// slots. Saying it twice changes nothing; it may be said before the runner is known.
    SlotTaken { runner: RunnerId, job: JobId, account: Account },
    /// The job ended or was given back. Unknown pairs are ignored.
    SlotFreed { runner: RunnerId, job: JobId },
    /// How many jobs of a project may run at a time from now on; `None` = any number. What runs goes on.
    LimitChanged { org: String, project: String, running: Option<u32> },
    /// From now on no waiting job is placed, or all are again. Saying it twice changes nothing.
    QueuePaused(bool),
}

/// What the engine must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Place the job on the runner; the slot counts as taken from this moment.
    Assign { job: JobId, runner: RunnerId },
}

/// The pure scheduler: events in, assignments out.
#[derive(Clone, Debug)]
pub struct Board {
    classes: Classes,
    lanes: Lanes,
    gates: Gates,
    runners: Runners,
    /// Where each waiting job stands.
    waiting: HashMap<JobId, Waiting>,
    /// Slots taken on runners that are not known yet.
    early: BTreeMap<RunnerId, BTreeSet<JobId>>,
    placer: Placer,
    /// Which runner was given which tree of files last.
    trees: Trees,
    /// No waiting job is placed.
    paused: bool,
    /// Counts events; the order in which runners and classes were last used.
    tick: u64,
}

/// Where a waiting job stands.
#[derive(Clone, Debug)]
struct Waiting {
    lane: u32,
    priority: i32,
    /// What it says about its group; 0 without one.
    limit: u32,
    workspace: Option<Digest>,
    avoid: Vec<RunnerId>,
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(placement: Placement) -> Self {
        Self {
            classes: Classes::new(IDLE_CLASSES_MAX),
            lanes: Lanes::default(),
            gates: Gates::default(),
            runners: Runners::default(),
            waiting: HashMap::new(),
            early: BTreeMap::new(),
            placer: Placer::new(placement),
            trees: Trees::default(),
            paused: false,
            tick: 0,
        }
    }

    /// The same board, keeping at most `classes_max` classes without waiting jobs (512 unless told).
    ///
    /// More cost memory and time where runners are free; fewer make the first job of a class that was
    /// forgotten look at every runner. Nothing else depends on it.
    #[must_use]
    pub fn keeping_idle_classes(mut self, classes_max: usize) -> Self {
        self.classes.keep_idle(classes_max);
        self
    }

    /// Takes one event and returns the assignments that it allows, in the order in which they were made.
    pub fn step(&mut self, event: BoardEvent) -> Vec<Effect> {
        self.tick += 1;
        let effects = match event {
            BoardEvent::JobQueued(job) => self.job_queued(job),
            BoardEvent::JobDropped(job) => {
                self.drop_from_the_queue(job);
                self.settle(None)
            }
            BoardEvent::RunnerChanged(runner) => self.runner_changed(runner),
            BoardEvent::RunnerRemoved(runner) => {
                self.runner_removed(runner);
                self.settle(None)
            }
            BoardEvent::SlotTaken { runner, job, account } => {
                self.slot_taken(runner, job, &account);
                self.settle(None)
            }
            BoardEvent::SlotFreed { runner, job } => self.slot_freed(runner, job),
            BoardEvent::LimitChanged { org, project, running } => {
                self.gates.set(&org, &project, running);
                self.settle(None)
            }
            BoardEvent::QueuePaused(paused) => self.set_paused(paused),
        };
        self.forget_idle_classes();
        effects
    }

    /// Says why a waiting job waits; `None` when the job does not wait here.
    ///
    /// Costs O(runners + jobs in front of it): meant for a person's question.
    #[must_use]
    pub fn explain(&self, job: JobId) -> Option<Explanation> {
        self.explanation(job)
    }

    /// What the inventory offers a job that is queued but does not wait here: a placement of it is under way, or was
    /// given back a moment ago. Costs O(runners).
    #[must_use]
    pub fn explain_beside(&self, job: &QueuedJob) -> Explanation {
        self.explanation_beside(job)
    }

    /// Jobs that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Classes that the board holds, with waiting jobs or without.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.held()
    }

    /// The jobs that hold a slot of the runner, in order of submission.
    #[must_use]
    pub fn running_on(&self, runner: RunnerId) -> Vec<JobId> {
        if let Some(early) = self.early.get(&runner) {
            return early.iter().copied().collect();
        }
        self.runners.find(runner).map(|index| self.runners[index].running.keys().copied().collect()).unwrap_or_default()
    }
}
