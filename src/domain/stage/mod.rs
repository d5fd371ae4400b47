//! Stage runs: how a change goes through its pipeline, as a reconciler without memory.
//!
//! [`steps`] looks at what is stored about a change and says what to store next. Whoever drives it does what it
//! says, in one transaction, and asks again until it says nothing; then it waits for something to happen (a job
//! ended, somebody approved, cancelled, triggered) and asks again. A dispatcher that was restarted in the middle
//! does the same: nothing of a stage lives anywhere but in the store. Steps of one answer are independent: some
//! may be done without the others, in any order. A step that is done twice is one that the store refuses: a stage
//! run is unique by change, stage and number, a phase run by stage run, project and phase, a job of a row by
//! phase run, row and turn.
//!
//! **What ends how.** A row's last job decides about it. Rows with `continue_on_error` count as passed however
//! they end. A phase fails when a row fails that may not, or is left out; siblings run on unless `fail_fast`. A
//! stage fails when a phase fails; the phases of its group run to their end, later groups do not start. A stage
//! whose end was asked for fails, whatever its rows did: a change that somebody stopped is not promoted.
//!
//! **Runs are final.** A stage is run again as a new run with the next number, from the plan of that moment. It
//! may *repeat* an earlier run: rows that passed there are carried over, with the job that passed, as long as
//! their phase's plan is the same; the failed and left-out ones run. So "re-run failed rows only" changes no
//! history, and promotion is always decided by one run that has every row.
//!
//! **Where a change stands** ([`Standing`]) follows from its latest run alone: one run of a change is open at a
//! time, and only the stage in which the change stands can be triggered again.

mod allowed;
mod flow;
mod shown;
mod status;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::{Change, ChangeState, Signed};
use crate::ids::{ChangeId, JobId, PhaseRunId, StageRunId};
use crate::job::{Job, JobState};
use crate::outcome::{Outcome, StopReason};
use crate::phase::{Phase, Stage};
use crate::plan::StagePlan;
use crate::tenancy::Name;

pub use self::allowed::{Action, NewRun, Refusal, Standing, allowed, cancelled_at_the_door, check, standing, trigger};
pub use self::shown::{PhaseShown, RowShown, stage_shown};
pub use self::status::{Status, aggregate};

/// Jobs that one row is given at most when its author said `retry.on_lost`.
pub const TURNS_MAX: u32 = 3;

/// One run of one stage of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRun {
    pub id: StageRunId,
    pub change: ChangeId,
    pub stage: Stage,
    /// Counts the runs of this stage of this change from 1.
    pub number: u32,
    /// Who asked for it; `None` when the change was promoted by itself.
    pub triggered_by: Option<String>,
    /// The run whose passed rows are carried over.
    pub repeats: Option<StageRunId>,
    pub plan: RunPlan,
    pub cancel: Option<Signed>,
    pub created_at_ms: i64,
    pub end: Option<End>,
    /// Counts changes of the record; every write is a compare-and-set on it.
    pub version: i64,
}

/// What a run will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPlan {
    /// The configuration has not been read.
    Unread,
    Made(StagePlan),
    /// There is no configuration, or it has faults: why, for people.
    Faulty(String),
}

/// How and when a stage run or a phase run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Passed, failed or skipped.
    pub status: Status,
    pub at_ms: i64,
}

/// One phase of one project in a stage run. What it does stands in the stage run's plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRun {
    pub id: PhaseRunId,
    pub stage_run: StageRunId,
    pub project: Name,
    pub phase: Phase,
    /// Rows that passed in the run that this one repeats, and the job with which they did.
    pub carried: BTreeMap<u32, JobId>,
    pub created_at_ms: i64,
    pub end: Option<End>,
}

/// A job of a row, as far as its stage is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowJob {
    pub id: JobId,
    pub standing: JobStanding,
    /// Its end was asked for.
    pub is_marked: bool,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStanding {
    Waiting,
    Running,
    Passed,
    /// Ended in any other way than the two beside it.
    Failed,
    /// It can be proved that its result is gone.
    Lost,
}

impl RowJob {
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let standing = match &job.state {
            JobState::Queued => JobStanding::Waiting,
            JobState::Assigned { .. } | JobState::Starting { .. } | JobState::Running { .. } => JobStanding::Running,
            JobState::Finished(finished) => JobStanding::after(finished.outcome),
        };
        Self { id: job.id, standing, is_marked: job.cancel.is_some() }
    }
}

impl JobStanding {
    /// How a job with this end stands.
    #[must_use]
    pub const fn after(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Passed,
            Outcome::Lost => Self::Lost,
            Outcome::Failed | Outcome::Cancelled | Outcome::TimedOut | Outcome::Expired | Outcome::Abandoned => {
                Self::Failed
            }
        }
    }

    /// How a job whose state has this word stands; `None` for a word that is none.
    #[must_use]
    pub fn of_word(state: &str) -> Option<Self> {
        match state {
            "queued" => Some(Self::Waiting),
            "assigned" | "starting" | "running" => Some(Self::Running),
            word => word.parse().ok().map(Self::after),
        }
    }
}

/// What is stored about a change, as far as its next steps depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeView {
    pub change: Change,
    /// The highest number of a run of each stage that has one.
    pub numbers: BTreeMap<Stage, u32>,
    /// The run that was created last.
    pub latest: Option<RunView>,
    /// The run that it repeats.
    pub repeated: Option<RunView>,
    /// Shared stages in which another change of the same pipeline has an unfinished run. A change for which a
    /// stage is taken waits; whoever drives the changes asks about them in the order in which they may go.
    pub taken: BTreeMap<Stage, ChangeId>,
}

/// A stage run and its phase runs, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    pub run: StageRun,
    pub phases: Vec<PhaseView>,
}

/// A phase run and the jobs of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseView {
    pub run: PhaseRun,
    /// By row; the jobs of a row in the order of their turns.
    pub jobs: BTreeMap<u32, Vec<RowJob>>,
}

impl RunView {
    /// The run of one phase, once it has started.
    #[must_use]
    pub fn phase(&self, project: &Name, phase: Phase) -> Option<&PhaseView> {
        self.phases.iter().find(|view| view.run.phase == phase && view.run.project == *project)
    }

    /// The plan, once it is made.
    #[must_use]
    pub const fn plan(&self) -> Option<&StagePlan> {
        match &self.run.plan {
            RunPlan::Made(plan) => Some(plan),
            RunPlan::Unread | RunPlan::Faulty(_) => None,
        }
    }
}

/// What to store next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Store a new run without a plan.
    StartStage { stage: Stage, number: u32 },
    /// Read the configuration from the change's source, make the plan, and store it or what is wrong.
    PlanStage { run: StageRunId },
    /// Store a run of this phase, with the rows that are carried over.
    StartPhase { run: StageRunId, project: Name, phase: Phase, carried: BTreeMap<u32, JobId> },
    /// Queue a job for each of these rows.
    SubmitRows { phase_run: PhaseRunId, rows: Vec<Turn> },
    /// Ask for the end of these jobs.
    CancelJobs { jobs: Vec<JobId>, reason: StopReason },
    /// Store the phase's end.
    FinishPhase { phase_run: PhaseRunId, status: Status },
    /// Store the run's end.
    FinishStage { run: StageRunId, status: Status },
}

/// The next job of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    pub row: u32,
    /// Counts the jobs of the row from 1.
    pub turn: u32,
}

/// Says what to do next about a change; nothing when it waits for jobs, people or another change.
#[must_use]
pub fn steps(view: &ChangeView) -> Vec<Step> {
    match (&view.latest, standing(view)) {
        (_, Standing::Moving { to }) if !view.taken.contains_key(&to) => {
            vec![Step::StartStage { stage: to, number: view.next_number(to) }]
        }
        (Some(latest), Standing::Running { .. }) => flow::steps(view, latest),
        (
            _,
            Standing::Moving { .. }
            | Standing::Running { .. }
            | Standing::Failed { .. }
            | Standing::AtGate { .. }
            | Standing::Arrived
            | Standing::Closed,
        ) => Vec::new(),
    }
}

impl ChangeView {
    fn next_number(&self, stage: Stage) -> u32 {
        self.numbers.get(&stage).copied().unwrap_or(0).saturating_add(1)
    }

    /// Nothing more of it is to run: somebody cancelled the run, or closed the change.
    fn is_stopping(&self, run: &StageRun) -> bool {
        run.cancel.is_some() || self.change.state == ChangeState::Closed
    }
}
