//! Where a change stands, and what people may do about it now.

use crate::change::ChangeState;
use crate::closed::closed_list;
use crate::ids::{ChangeId, StageRunId};
use crate::phase::Stage;
use crate::pipeline::{Gate, is_shared, next};
use crate::plan::PhasePlan;

use super::flow::{RowState, rows};
use super::{ChangeView, RunView, Status};

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On its way into a stage; it waits only while another change is there.
    Moving { to: Stage },
    /// A run of the stage is open.
    Running { stage: Stage },
    /// The latest run failed.
    Failed { stage: Stage },
    /// The stage has passed, and a person decides.
    AtGate { stage: Stage, gate: Gate },
    /// Delivered has passed.
    Arrived,
    /// Closed, and nothing of it runs any more.
    Closed,
}

/// Tells where the change stands.
#[must_use]
pub fn standing(view: &ChangeView) -> Standing {
    let is_closed = view.change.state == ChangeState::Closed;
    let Some(latest) = view.latest.as_ref().map(|latest| &latest.run) else {
        return if is_closed { Standing::Closed } else { Standing::Moving { to: Stage::Verify } };
    };
    let stage = latest.stage;
    match (&latest.end, next(stage)) {
        (None, _) => Standing::Running { stage },
        (Some(_), _) if is_closed => Standing::Closed,
        (Some(end), _) if end.status == Status::Failed => Standing::Failed { stage },
        (Some(_), None) => Standing::Arrived,
        (Some(_), Some((_, Some(gate)))) if !view.change.has_passed(gate) => Standing::AtGate { stage, gate },
        (Some(_), Some((to, _))) => Standing::Moving { to },
    }
}

closed_list!(
    /// What a person may ask for about a change.
    Action {
        /// Open the gate after verify.
        Approve = "approve",
        /// Open the gate after acceptance.
        Deliver = "deliver",
        /// Run the stage in which it stands again.
        Trigger = "trigger",
        /// The same, carrying over the rows that passed.
        RerunFailed = "rerun_failed",
        /// Stop the run that is open, or the wait for one.
        Cancel = "cancel",
        /// Give the change up.
        Close = "close",
    }
);

/// Why an action is not allowed now. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the change is closed")]
    Closed,
    #[error("the change is already approved")]
    AlreadyApproved,
    #[error("the change is already delivered")]
    AlreadyDelivered,
    #[error("stage {0} has not ended")]
    StillRunning(Stage),
    #[error("stage {0} has failed")]
    HasFailed(Stage),
    #[error("the change has not passed stage {0}")]
    NotThereYet(Stage),
    #[error("the change is on its way into stage {0}")]
    MovingOn(Stage),
    #[error("the change stands in stage {stands}: only that one can be run again, not {asked}")]
    Elsewhere { asked: Stage, stands: Stage },
    #[error("change {by} is in stage {stage} of this pipeline; one at a time can be there")]
    Taken { stage: Stage, by: ChangeId },
    #[error("no row of the latest run has failed")]
    NothingFailed,
    #[error("the end of stage {0} was already asked for")]
    Stopping(Stage),
    #[error("nothing of the change runs")]
    NothingRuns,
}

/// What may be done now, in the order of `Action`.
#[must_use]
pub fn allowed(view: &ChangeView) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|action| check(view, *action).is_ok()).collect()
}

/// Tells whether the action is allowed now; a trigger is one of the stage in which the change stands.
///
/// # Errors
/// Why not.
pub fn check(view: &ChangeView, action: Action) -> Result<(), Refusal> {
    let stands = || view.latest.as_ref().map_or(Stage::Verify, |latest| latest.run.stage);
    match action {
        Action::Approve => at_gate(view, Gate::Approve),
        Action::Deliver => at_gate(view, Gate::Deliver),
        Action::Trigger => trigger(view, stands(), false).map(drop),
        Action::RerunFailed => trigger(view, stands(), true).map(drop),
        Action::Cancel => cancel(view),
        Action::Close => close(view),
    }
}

fn at_gate(view: &ChangeView, gate: Gate) -> Result<(), Refusal> {
    if view.change.has_passed(gate) {
        return Err(if gate == Gate::Approve { Refusal::AlreadyApproved } else { Refusal::AlreadyDelivered });
    }
    let before = if gate == Gate::Approve { Stage::Verify } else { Stage::Acceptance };
    match standing(view) {
        Standing::AtGate { gate: here, .. } if here == gate => Ok(()),
        Standing::Closed => Err(Refusal::Closed),
        Standing::Running { stage } if stage == before => Err(Refusal::StillRunning(stage)),
        Standing::Failed { stage } if stage == before => Err(Refusal::HasFailed(stage)),
        Standing::AtGate { .. }
        | Standing::Moving { .. }
        | Standing::Running { .. }
        | Standing::Failed { .. }
        | Standing::Arrived => Err(Refusal::NotThereYet(before)),
    }
}

/// The record of a run that somebody triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRun {
    pub stage: Stage,
    pub number: u32,
    pub repeats: Option<StageRunId>,
}

/// A new run of the stage; `failed_only` carries over the rows that passed in the latest one.
///
/// # Errors
/// Why the stage cannot be run again now.
pub fn trigger(view: &ChangeView, stage: Stage, failed_only: bool) -> Result<NewRun, Refusal> {
    let here = match standing(view) {
        Standing::Closed => return Err(Refusal::Closed),
        Standing::Running { stage } => return Err(Refusal::StillRunning(stage)),
        Standing::Moving { to } => return Err(Refusal::MovingOn(to)),
        Standing::Failed { stage } | Standing::AtGate { stage, .. } => stage,
        Standing::Arrived => Stage::Delivered,
    };
    if stage != here {
        return Err(Refusal::Elsewhere { asked: stage, stands: here });
    }
    if let Some(by) = view.taken.get(&stage).filter(|_| is_shared(stage)) {
        return Err(Refusal::Taken { stage, by: *by });
    }
    let repeats = match (&view.latest, failed_only) {
        (Some(latest), true) if has_failed(latest) => Some(latest.run.id),
        (_, true) => return Err(Refusal::NothingFailed),
        (_, false) => None,
    };
    Ok(NewRun { stage, number: view.next_number(stage), repeats })
}

/// The run with which a change that waits to enter a stage is stopped there: it has failed, and can be triggered again.
#[must_use]
pub fn cancelled_at_the_door(view: &ChangeView) -> Option<NewRun> {
    match standing(view) {
        Standing::Moving { to } => Some(NewRun { stage: to, number: view.next_number(to), repeats: None }),
        _ => None,
    }
}

/// Tells whether a run has rows that a repetition would run: its own end, or a row that was allowed to fail.
fn has_failed(latest: &RunView) -> bool {
    let is_failed = |(_, state)| matches!(state, RowState::Failed { .. });
    let has_failed_rows = |(_, plan): (usize, &PhasePlan)| {
        latest.phase(&plan.project, plan.phase).is_some_and(|phase| rows(plan, phase).any(is_failed))
    };
    latest.run.end.is_some_and(|end| end.status == Status::Failed)
        || latest.plan().is_some_and(|plan| plan.phases().any(has_failed_rows))
}

fn cancel(view: &ChangeView) -> Result<(), Refusal> {
    match (standing(view), &view.latest) {
        (Standing::Running { stage }, Some(latest)) if view.is_stopping(&latest.run) => Err(Refusal::Stopping(stage)),
        // One that waits for another change ends before it has begun.
        (Standing::Running { .. }, Some(_)) | (Standing::Moving { .. }, _) => Ok(()),
        (Standing::Closed, _) => Err(Refusal::Closed),
        _ => Err(Refusal::NothingRuns),
    }
}

/// An open change can be given up at any time; its run is stopped.
fn close(view: &ChangeView) -> Result<(), Refusal> {
    match view.change.state {
        ChangeState::Open => Ok(()),
        ChangeState::Merged => Err(Refusal::AlreadyApproved),
        ChangeState::Closed => Err(Refusal::Closed),
    }
}
