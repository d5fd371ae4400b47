//! A stage run as people see it: phases in order, each with the rows of every project that takes part.

use super::flow::{RowState, rows};
use super::{PhaseView, RunView, Status, aggregate};
use crate::filter::Filter;
use crate::ids::{JobId, PhaseRunId};
use crate::phase::Phase;
use crate::pipeline::groups;
use crate::plan::{PhasePlan, RowPlan, SkipReason, description};
use crate::tenancy::Name;

/// One phase of a stage, the consumers' runs of it included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseShown {
    pub phase: Phase,
    pub status: Status,
    pub rows: Vec<RowShown>,
}

/// One row. What never ran stays idle, as Chef shows it: the later groups of a stage that failed, and rows that
/// `fail_fast` or a cancel left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowShown {
    pub project: Name,
    /// Chef's line: `hello - {"os":["linux"]}`.
    pub description: String,
    pub filter: Filter,
    /// How the row itself is; one that may fail can be failed in a phase that passed.
    pub status: Status,
    pub may_fail: bool,
    pub skip: Option<SkipReason>,
    /// Once the phase has started.
    pub phase_run: Option<PhaseRunId>,
    /// The last job of the row; of a carried row the one that passed in an earlier run.
    pub job: Option<JobId>,
    /// It passed in the run that this one repeats.
    pub is_carried: bool,
}

/// The status of a run, and its phases; none while there is no plan.
///
/// An open run is running, also between two groups, and failed as soon as a phase is.
#[must_use]
pub fn stage_shown(run: &RunView) -> (Status, Vec<PhaseShown>) {
    let Some(plan) = run.plan() else {
        return (run.run.end.map_or(Status::Running, |end| end.status), Vec::new());
    };
    let order = groups(run.run.stage).iter().copied().flatten();
    let shown = |phase: &Phase| {
        let plans = plan.phases().map(|(_, plan)| plan).filter(|plan| plan.phase == *phase);
        phase_shown(*phase, plans, run)
    };
    let phases: Vec<PhaseShown> = order.map(shown).collect();
    let status = match (run.run.end, aggregate(phases.iter().map(|phase| phase.status))) {
        (Some(end), _) => end.status,
        (None, Status::Failed) => Status::Failed,
        (None, _) => Status::Running,
    };
    (status, phases)
}

fn phase_shown<'a>(phase: Phase, plans: impl Iterator<Item = &'a PhasePlan>, run: &RunView) -> PhaseShown {
    let (mut statuses, mut all) = (Vec::new(), Vec::new());
    for plan in plans {
        let view = run.phase(&plan.project, plan.phase);
        let shown = rows_shown(plan, view);
        let counted =
            |row: &RowShown| if row.may_fail && row.status == Status::Failed { Status::Passed } else { row.status };
        let own = view.and_then(|view| view.run.end).map(|end| end.status);
        statuses.push(own.unwrap_or_else(|| aggregate(shown.iter().map(counted))));
        all.extend(shown);
    }
    PhaseShown { phase, status: aggregate(statuses), rows: all }
}

fn rows_shown(plan: &PhasePlan, view: Option<&PhaseView>) -> Vec<RowShown> {
    let blank = |row: &RowPlan| RowShown {
        project: plan.project.clone(),
        description: description(&plan.project, &row.filter),
        filter: row.filter.clone(),
        status: if plan.skip.is_some() { Status::Skipped } else { Status::Idle },
        may_fail: row.continue_on_error,
        skip: plan.skip,
        phase_run: view.map(|view| view.run.id),
        job: None,
        is_carried: false,
    };
    let shown: Vec<RowShown> = plan.rows.iter().map(blank).collect();
    let Some(view) = view else { return shown };
    let has_ended = view.run.end.is_some();
    let with_state = |(mut row, (index, state)): (RowShown, (u32, RowState))| {
        (row.status, row.job) = match state {
            RowState::Skipped => (Status::Skipped, None),
            // Also of an ended phase, which left it out.
            RowState::NoJob => (Status::Idle, None),
            RowState::Waiting(job) => (Status::Idle, Some(job.id)),
            RowState::Running(job) => (Status::Running, Some(job.id)),
            RowState::Passed(job) => (Status::Passed, Some(job)),
            RowState::Failed { job, again } if again.is_none() || has_ended => (Status::Failed, Some(job)),
            RowState::Failed { job, .. } => (Status::Idle, Some(job)),
        };
        row.is_carried = view.run.carried.contains_key(&index);
        row
    };
    shown.into_iter().zip(rows(plan, view)).map(with_state).collect()
}
