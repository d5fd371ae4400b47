//! Words and marks for what a change shows.

use std::collections::BTreeMap;

use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::plan::SkipReason;
use shuntyard_domain::stage::{Action, Standing, Status};
use shuntyard_domain::wire::api::JobBody;
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
/// `jobs` may lack any.
#[must_use]
pub fn next_steps(change: &ChangeBody, jobs: &BTreeMap<JobId, JobBody>) -> String {
    let moves = matches!(standing(change), Standing::Running { .. } | Standing::Moving { .. });
    let follow = moves.then(|| (format!("shunt change follow {}", change.id), "follow it"));
    let actions = offered(change).into_iter().map(|action| (command(action, change.id), meaning(action)));
    let log = telling_job(change, jobs).map(|job| (format!("shunt logs {job}"), "what it said"));
    let lines: Vec<_> = follow.into_iter().chain(log).chain(actions).collect();
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    lines.iter().map(|(command, meaning)| format!("  {command:width$}  # {meaning}\n")).collect()
}

/// The jobs of the rows that have made the latest run fail, in their order.
#[must_use]
pub fn failed_jobs(change: &ChangeBody) -> Vec<JobId> {
    let rows = latest(change).into_iter().flat_map(|run| &run.phases).flat_map(|phase| &phase.run_details);
    rows.filter(|row| row.status == Status::Failed && !row.continue_on_error).filter_map(|row| row.job).collect()
}

/// The job whose output most probably says why: one that failed by itself, else one that was stopped; never one that
/// did not run. A job that nothing is known about may be worth a look.
fn telling_job(change: &ChangeBody, jobs: &BTreeMap<JobId, JobBody>) -> Option<JobId> {
    let rank = |id: &JobId| match jobs.get(id) {
        Some(job) if job.started_at.is_none() => None,
        Some(job) if matches!(job.outcome, Some(Outcome::Failed | Outcome::TimedOut)) => Some(0),
        Some(_) => Some(1),
        None => Some(2),
    };
    let ranked = failed_jobs(change).into_iter().filter_map(|id| Some((rank(&id)?, id)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::standing::tests::case;
    use crate::run::result::tests::job;

    #[test]
    fn the_log_of_a_row_that_failed_by_itself_is_named_and_never_one_of_a_row_that_did_not_run() {
        let mut change = case("failed");
        let rows = &mut change.stages[0].phases[0].run_details;
        rows[1] = rows[0].clone();
        let ids: [JobId; 2] =
            ["a1", "a2"].map(|end| format!("01890000-0000-7000-8000-0000000000{end}").parse().unwrap());
        rows[0].job = Some(ids[0]);
        rows[1].job = Some(ids[1]);
        let jobs = |first: JobBody, second: JobBody| BTreeMap::from([(ids[0], first), (ids[1], second)]);
        let unrun = JobBody { started_at: None, ..job(Some("cancelled"), None) };
        let (failed, stopped) = (job(Some("failed"), Some(1)), job(Some("cancelled"), None));
        let told = |jobs| telling_job(&change, &jobs);
        assert_eq!(told(jobs(unrun.clone(), failed.clone())), Some(ids[1]));
        assert_eq!(told(jobs(stopped.clone(), failed)), Some(ids[1]));
        assert_eq!(told(jobs(stopped, unrun.clone())), Some(ids[0]));
        assert_eq!(told(jobs(unrun.clone(), unrun)), None);
        assert_eq!(told(BTreeMap::new()), Some(ids[0]));
    }
}
