//! Steps and stages in the words of the fixtures.

use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::plan::PhasePlan;
use shuntyard_domain::stage::{Step, stage_shown};
use shuntyard_domain::tenancy::Name;

use super::World;

impl World {
    /// A step in words: `submit unit 0 1`, `end verify passed`.
    pub fn told(&self, step: &Step) -> String {
        let phase = |id: &PhaseRunId| {
            let run = self.phase_run(*id);
            label(&run.project, run.phase.as_str())
        };
        match step {
            Step::StartStage { stage, number } => format!("start {stage} {number}"),
            Step::PlanStage { run } => format!("plan {}", self.run(*run).stage),
            Step::StartPhase { project, phase, carried, .. } => {
                let carried: String = carried.keys().map(|row| format!(" carries {row}")).collect();
                format!("phase {}{carried}", label(project, phase.as_str()))
            }
            Step::SubmitRows { phase_run, rows } => {
                let again = |turn: u32| if turn > 1 { format!("#{turn}") } else { String::new() };
                let rows: String = rows.iter().map(|at| format!(" {}{}", at.row, again(at.turn))).collect();
                format!("submit {}{rows}", phase(phase_run))
            }
            Step::CancelJobs { jobs, reason } => {
                let told = |id: &JobId| {
                    let job = self.jobs.iter().find(|job| job.id == *id).unwrap();
                    format!(" {} {}", phase(&job.phase_run), job.at.row)
                };
                format!("cancel{} for {reason}", jobs.iter().map(told).collect::<Vec<_>>().join(","))
            }
            Step::FinishPhase { phase_run, status } => format!("end {} {status}", phase(phase_run)),
            Step::FinishStage { run, status } => format!("end {} {status}", self.run(*run).stage),
        }
    }

    /// The latest run as people see it: `verify running: unit running [passed running], lint idle [idle]`.
    pub fn shown(&self) -> String {
        let Some(run) = self.runs.last() else { return "nothing".into() };
        let (status, phases) = stage_shown(&self.run_view(run));
        let phases: Vec<String> = phases
            .iter()
            .map(|phase| {
                let rows: Vec<&str> = phase.rows.iter().map(|row| row.status.as_str()).collect();
                format!("{} {} [{}]", phase.phase, phase.status, rows.join(" "))
            })
            .collect();
        let rest = if phases.is_empty() { String::new() } else { format!(": {}", phases.join(", ")) };
        format!("{} {status}{rest}", run.stage)
    }
}

fn label(project: &Name, phase: &str) -> String {
    if project.as_str() == "hello" { phase.to_owned() } else { format!("{project}:{phase}") }
}

/// The rows that may fail, of all.
pub fn may_fail(plan: &PhasePlan, row: u32) -> bool {
    plan.rows[row as usize].continue_on_error
}
