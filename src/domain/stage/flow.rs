//! The steps of an unfinished stage run.

use std::collections::BTreeMap;

use super::{ChangeView, JobStanding, PhaseView, RowJob, RunPlan, RunView, Status, Step, TURNS_MAX, Turn, aggregate};
use crate::ids::JobId;
use crate::outcome::StopReason;
use crate::plan::{PhasePlan, StagePlan};

/// What a run's phases and groups need next.
pub(super) fn steps(view: &ChangeView, latest: &RunView) -> Vec<Step> {
    let (run, is_stopping) = (latest.run.id, view.is_stopping(&latest.run));
    match &latest.run.plan {
        RunPlan::Unread if !is_stopping => vec![Step::PlanStage { run }],
        RunPlan::Unread | RunPlan::Faulty(_) => vec![Step::FinishStage { run, status: Status::Failed }],
        RunPlan::Made(plan) => {
            let started = plan.phases().filter_map(|(_, plan)| Some((plan, latest.phase(&plan.project, plan.phase)?)));
            let open = started.filter(|(_, phase)| phase.run.end.is_none());
            let mut steps: Vec<Step> = open.flat_map(|(plan, phase)| phase_steps(plan, phase, is_stopping)).collect();
            let has_open = latest.phases.iter().any(|phase| phase.run.end.is_none());
            steps.extend(group_steps(view, latest, plan, is_stopping, has_open));
            steps
        }
    }
}

/// Starts the next group, or ends the run.
fn group_steps(view: &ChangeView, latest: &RunView, plan: &StagePlan, is_stopping: bool, has_open: bool) -> Vec<Step> {
    let finish = |status| vec![Step::FinishStage { run: latest.run.id, status }];
    if is_stopping {
        return if has_open { Vec::new() } else { finish(Status::Failed) };
    }
    for group in &plan.groups {
        let phases = || group.iter().map(|plan| (plan, latest.phase(&plan.project, plan.phase)));
        let missing: Vec<&PhasePlan> = phases().filter(|(_, phase)| phase.is_none()).map(|(plan, _)| plan).collect();
        if !missing.is_empty() {
            return missing.into_iter().map(|plan| start(view, latest, plan)).collect();
        }
        let ends: Vec<_> = phases().filter_map(|(_, phase)| phase.and_then(|phase| phase.run.end)).collect();
        if ends.len() < group.len() {
            return Vec::new();
        }
        if ends.iter().any(|end| end.status == Status::Failed) {
            return finish(Status::Failed);
        }
    }
    finish(aggregate(latest.phases.iter().filter_map(|phase| phase.run.end).map(|end| end.status)))
}

fn start(view: &ChangeView, latest: &RunView, plan: &PhasePlan) -> Step {
    let carried = view.repeated.as_ref().map(|repeated| carried(repeated, plan)).unwrap_or_default();
    Step::StartPhase { run: latest.run.id, project: plan.project.clone(), phase: plan.phase, carried }
}

/// The rows of the phase that passed in an earlier run with the same plan, and by which job.
fn carried(earlier: &RunView, plan: &PhasePlan) -> BTreeMap<u32, JobId> {
    let same = earlier.plan().and_then(|earlier| earlier.find(&plan.project, plan.phase)) == Some(plan);
    let phase = earlier.phase(&plan.project, plan.phase).filter(|_| same && plan.skip.is_none());
    let Some(phase) = phase else { return BTreeMap::new() };
    let passed = |(row, state)| match state {
        RowState::Passed(job) => Some((row, job)),
        _ => None,
    };
    rows(plan, phase).filter_map(passed).collect()
}

/// What is known about one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowState {
    Skipped,
    /// No job was queued for it.
    NoJob,
    Waiting(RowJob),
    Running(RowJob),
    /// Here, or in the run that this one repeats.
    Passed(JobId),
    /// `again` is the turn of the job that its author wants to be queued.
    Failed {
        job: JobId,
        again: Option<u32>,
    },
}

/// The rows of a phase run, in order.
pub(super) fn rows<'a>(plan: &'a PhasePlan, phase: &'a PhaseView) -> impl Iterator<Item = (u32, RowState)> + 'a {
    let indices = (0..).zip(&plan.rows).map(|(row, _)| row);
    indices.map(|row| (row, row_state(plan, phase, row)))
}

fn row_state(plan: &PhasePlan, phase: &PhaseView, row: u32) -> RowState {
    if plan.skip.is_some() {
        return RowState::Skipped;
    }
    if let Some(job) = phase.run.carried.get(&row) {
        return RowState::Passed(*job);
    }
    let jobs = phase.jobs.get(&row).map(Vec::as_slice).unwrap_or_default();
    let Some(job) = jobs.last() else { return RowState::NoJob };
    let turns = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
    match job.standing {
        JobStanding::Waiting => RowState::Waiting(*job),
        JobStanding::Running => RowState::Running(*job),
        JobStanding::Passed => RowState::Passed(job.id),
        JobStanding::Failed => RowState::Failed { job: job.id, again: None },
        JobStanding::Lost => {
            let again = (plan.retry_on_lost && !job.is_marked && turns < TURNS_MAX).then_some(turns + 1);
            RowState::Failed { job: job.id, again }
        }
    }
}

/// The steps of a phase run that has not ended.
fn phase_steps(plan: &PhasePlan, phase: &PhaseView, is_stopping: bool) -> Vec<Step> {
    let phase_run = phase.run.id;
    let states: Vec<(u32, RowState)> = rows(plan, phase).collect();
    let may_fail = |row: u32| plan.rows.get(row as usize).is_some_and(|row| row.continue_on_error);
    let has_failed =
        states.iter().any(|(row, state)| matches!(state, RowState::Failed { again: None, .. }) && !may_fail(*row));
    let is_halted = is_stopping || (plan.fail_fast && has_failed);
    let live: Vec<RowJob> = states.iter().filter_map(|(_, state)| live(*state)).collect();
    let wanted: Vec<Turn> = states.iter().filter_map(|(row, state)| turn(*row, *state)).collect();

    if is_halted && !live.is_empty() {
        let jobs: Vec<JobId> = live.iter().filter(|job| !job.is_marked).map(|job| job.id).collect();
        let reason = if is_stopping { StopReason::User } else { StopReason::FailFast };
        return if jobs.is_empty() { Vec::new() } else { vec![Step::CancelJobs { jobs, reason }] };
    }
    if !is_halted && !wanted.is_empty() {
        let most = plan.max_parallel.map_or(usize::MAX, |most| most as usize);
        let rows: Vec<Turn> = wanted.into_iter().take(most.saturating_sub(live.len())).collect();
        return if rows.is_empty() { Vec::new() } else { vec![Step::SubmitRows { phase_run, rows }] };
    }
    if !live.is_empty() {
        return Vec::new();
    }
    let end = |(row, state): &(u32, RowState)| match state {
        RowState::Skipped => Status::Skipped,
        RowState::Passed(_) => Status::Passed,
        RowState::Failed { .. } if may_fail(*row) => Status::Passed,
        // Left out: it was to run, and did not.
        RowState::NoJob | RowState::Failed { .. } | RowState::Waiting(_) | RowState::Running(_) => Status::Failed,
    };
    vec![Step::FinishPhase { phase_run, status: aggregate(states.iter().map(end)) }]
}

/// The unfinished job of a row.
const fn live(state: RowState) -> Option<RowJob> {
    match state {
        RowState::Waiting(job) | RowState::Running(job) => Some(job),
        RowState::Skipped | RowState::NoJob | RowState::Passed(_) | RowState::Failed { .. } => None,
    }
}

/// The job that a row wants to be queued.
fn turn(row: u32, state: RowState) -> Option<Turn> {
    match state {
        RowState::NoJob => Some(Turn { row, turn: 1 }),
        RowState::Failed { again, .. } => again.map(|turn| Turn { row, turn }),
        RowState::Skipped | RowState::Waiting(_) | RowState::Running(_) | RowState::Passed(_) => None,
    }
}
