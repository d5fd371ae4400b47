//! Which runner takes which job.
//!
//! Jobs with the same canonical filter and organisation form a *class*. A class knows its waiting jobs
//! and those of its runners that have a free slot; a runner knows the classes that it satisfies. After
//! every step no waiting job has an eligible runner with a free slot, so a class with waiting jobs
//! has no free runner, and a runner with a free slot has only classes without waiting jobs.
//!
//! What an event costs, with C the classes of the runner that it concerns:
//!
//! | event | cost |
//! |---|---|
//! | `JobQueued`, nobody is free | O(log jobs) |
//! | `JobQueued`, somebody is free | O(C · log runners) |
//! | `JobQueued`, first of a class that the board does not hold | O(runners) |
//! | `JobDropped` | O(log jobs) |
//! | `SlotFreed`, `SlotTaken` | O(C) while the runner is full or fills up, else O(C · log runners) |
//! | `RunnerChanged`, `RunnerRemoved` | O(all classes + slots · C) |
//!
//! The board is deterministic: the same history of events gives the same effects.

mod asked;
mod class_set;
mod classes;
mod placement;
mod runners;
mod step;
mod trees;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::closed::closed_list;
use crate::digest::Digest;
use crate::explain::Explanation;
use crate::filter::{Attributes, Filter};
use crate::ids::{JobId, RunnerId};
use crate::runner::Scope;

use classes::Classes;
pub(crate) use classes::{accepts, serves};
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
    /// Organisation, for the scope of runners.
    pub org: String,
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
    SlotTaken { runner: RunnerId, job: JobId },
    /// The job ended or was given back. Unknown pairs are ignored.
    SlotFreed { runner: RunnerId, job: JobId },
}

/// What the engine must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Place the job on the runner; the slot counts as taken from this moment.
    Assign { job: JobId, runner: RunnerId },
}

/// The pure scheduler: events in, assignments out.
#[derive(Debug)]
pub struct Board {
    classes: Classes,
    runners: Runners,
    /// Where each waiting job stands.
    waiting: HashMap<JobId, Waiting>,
    /// Slots taken on runners that are not known yet.
    early: BTreeMap<RunnerId, BTreeSet<JobId>>,
    placer: Placer,
    /// Which runner was given which tree of files last.
    trees: Trees,
    /// Counts events; the order in which runners and classes were last used.
    tick: u64,
}

/// Where a waiting job stands.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    class: u32,
    priority: i32,
    workspace: Option<Digest>,
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(placement: Placement) -> Self {
        Self {
            classes: Classes::new(IDLE_CLASSES_MAX),
            runners: Runners::default(),
            waiting: HashMap::new(),
            early: BTreeMap::new(),
            placer: Placer::new(placement),
            trees: Trees::default(),
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
                self.take_off_the_queue(job);
                Vec::new()
            }
            BoardEvent::RunnerChanged(runner) => self.runner_changed(runner),
            BoardEvent::RunnerRemoved(runner) => {
                self.runner_removed(runner);
                Vec::new()
            }
            BoardEvent::SlotTaken { runner, job } => {
                self.slot_taken(runner, job);
                Vec::new()
            }
            BoardEvent::SlotFreed { runner, job } => self.slot_freed(runner, job),
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
