//! Words and marks for what a change shows.

use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::plan::SkipReason;
use shuntyard_domain::stage::{Action, Standing, Status};
use shuntyard_domain::wire::change::{ChangeBody, PhaseBody};

use super::standing::{latest, standing};
use crate::terminal::{paint, style};

/// The sign of a status, and its colour.
#[must_use]
pub fn mark(status: Status, colour: bool) -> String {
    let (of, mark) = match status {
        Status::Passed => (style::GREEN, "✔"),
        Status::Failed => (style::RED, "✖"),
        Status::Running => (style::CYAN, "●"),
        Status::Idle => (style::DIM, "○"),
        Status::Skipped => (style::DIM, "–"),
    };
    paint(colour, of, mark)
}

/// A line that begins with the sign of its status.
#[must_use]
pub fn marked(status: Status, text: &str, colour: bool) -> String {
    let text = if status == Status::Skipped { paint(colour, style::DIM, text) } else { text.to_owned() };
    format!("{} {text}", mark(status, colour))
}

/// Why a phase is skipped.
#[must_use]
pub fn skipped_because(phase: &PhaseBody) -> &'static str {
    reason(phase.run_details.iter().find_map(|row| row.skip))
}

/// Why a phase is skipped.
#[must_use]
pub const fn reason(skip: Option<SkipReason>) -> &'static str {
    match skip {
        Some(SkipReason::Configured) => "skip_phases names it",
        Some(SkipReason::NothingToRun) => "nothing to run",
        None => "no rows",
    }
}

/// What to type for an action.
fn command(action: Action, id: ChangeId) -> String {
    match action {
        Action::Approve => format!("shunt change approve {id}"),
        Action::Deliver => format!("shunt change deliver {id}"),
        Action::Trigger => format!("shunt change retrigger {id}"),
        Action::RerunFailed => format!("shunt change retrigger {id} --failed-only"),
        Action::Cancel => format!("shunt change cancel {id}"),
        Action::Close => format!("shunt change close {id}"),
    }
}

/// What it does, in a few words.
const fn meaning(action: Action) -> &'static str {
    match action {
        Action::Approve => "let it go on into build",
        Action::Deliver => "let it go on into union",
        Action::Trigger => "run the stage again",
        Action::RerunFailed => "run the failed rows again",
        Action::Cancel => "stop the run",
        Action::Close => "give it up",
    }
}

/// The actions that the server offers now, in their order.
fn offered(change: &ChangeBody) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|action| change.links.contains_key(action.as_str())).collect()
}

/// A line for each thing that may be done now, with what to type: to follow what runs, and the allowed actions.
#[must_use]
pub fn next_steps(change: &ChangeBody) -> String {
    let runs = match standing(change) {
        Standing::Running { stage } | Standing::Moving { to: stage } => Some(stage),
        Standing::Failed { .. } | Standing::AtGate { .. } | Standing::Arrived | Standing::Closed => None,
    };
    let follow = runs.map(|stage| (format!("shunt run --stage {stage} --change {}", change.id), "follow it"));
    let actions = offered(change).into_iter().map(|action| (command(action, change.id), meaning(action)));
    let log = failed_job(change).map(|job| (format!("shunt logs {job}"), "what it said"));
    let lines: Vec<_> = follow.into_iter().chain(log).chain(actions).collect();
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    lines.iter().map(|(command, meaning)| format!("  {command:width$}  # {meaning}\n")).collect()
}

/// The job of the first row that has made the latest run fail.
fn failed_job(change: &ChangeBody) -> Option<JobId> {
    let rows = latest(change)?.phases.iter().flat_map(|phase| &phase.run_details);
    rows.filter(|row| row.status == Status::Failed && !row.continue_on_error).find_map(|row| row.job)
}
