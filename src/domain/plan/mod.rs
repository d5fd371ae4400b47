//! What a stage will do: configuration and stage become groups of phases, each with its rows.
//!
//! A plan is made once, when the stage starts, from the configuration in the change's own source, and is
//! stored with the run: nothing that changes later, an inventory or another configuration, changes a run.
//!
//! **What a phase does** is the first that says it: `phases.<name>.run` of config.json, `[local_phases]` of
//! project.toml, the daemon's command template. A phase that none of them gives a command is skipped, like
//! one of `skip_phases`: a team that only tests and deploys need not list the rest. A skipped phase keeps its
//! rows, so that people see what would have run.
//!
//! **Dependencies.** In union the change's *consumers* take part: see [`consumers`]. Their phases stand beside
//! those of the change in the same groups, with their own configuration and source, and one that fails fails the run.

mod consumers;
mod difference;
mod forecast;

use serde::{Deserialize, Serialize};

pub use self::consumers::{Consumer, Delivered, consumers};
pub use self::difference::{PhaseDifference, differences};
pub use self::forecast::{Forecast, PhaseForecast, RowForecast, UnknownWord, forecast};
use crate::change::{Settings, Source};
use crate::closed::closed_list;
use crate::command_template::CommandTemplate;
use crate::filter::Filter;
use crate::ids::ChangeId;
use crate::job::JobSpec;
use crate::phase::{Phase, Stage};
use crate::pipeline::groups;
use crate::project_config::{LocalPhases, PhaseConfig, ProjectConfig};
use crate::tenancy::{Name, PipelinePath};

closed_list!(
    /// Why a phase has no jobs.
    SkipReason {
        /// `skip_phases` names it.
        Configured = "configured",
        /// Neither the project nor the daemon says what it does.
        NothingToRun = "nothing_to_run",
    }
);

/// All that one run of a stage will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagePlan {
    pub stage: Stage,
    /// In order; a group starts when the one before has ended and nothing in it has failed.
    pub groups: Vec<Vec<PhasePlan>>,
}

/// One phase of one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhasePlan {
    pub project: Name,
    /// Where a consumer lies that is in another organisation or pipeline than the run's change: its rows see its
    /// secrets and its runners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<PipelinePath>,
    /// The change whose source the jobs see; another than the run's own for a consumer.
    pub change: ChangeId,
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<SkipReason>,
    /// What every row runs; the script is empty when the phase is skipped.
    pub spec: JobSpec,
    #[serde(default)]
    pub fail_fast: bool,
    /// Jobs that are unfinished at a time; `None` = all rows at once.
    #[serde(default)]
    pub max_parallel: Option<u32>,
    #[serde(default)]
    pub retry_on_lost: bool,
    /// Never empty.
    pub rows: Vec<RowPlan>,
}

/// One row of a phase's matrix: one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPlan {
    pub filter: Filter,
    /// It may fail without failing the phase.
    #[serde(default)]
    pub continue_on_error: bool,
}

impl StagePlan {
    /// Every phase with the number of its group.
    pub fn phases(&self) -> impl Iterator<Item = (usize, &PhasePlan)> {
        self.groups.iter().enumerate().flat_map(|(group, phases)| phases.iter().map(move |phase| (group, phase)))
    }

    /// The phase of a project.
    #[must_use]
    pub fn find(&self, project: &Name, phase: Phase) -> Option<&PhasePlan> {
        self.phases().map(|(_, plan)| plan).find(|plan| plan.phase == phase && plan.project == *project)
    }
}

/// Chef's line for a row: `hello - {"os":["linux"]}`.
#[must_use]
pub fn description(project: &Name, filter: &Filter) -> String {
    format!("{project} - {filter}")
}

/// What the phases of one change do.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    pub at: &'a PipelinePath,
    pub change: ChangeId,
    /// Where the files are that its jobs start in.
    pub source: &'a Source,
    pub config: &'a ProjectConfig,
    /// Git's ids of the texts of both: a clone with others is not run.
    pub settings: Option<Settings<'a>>,
    pub local: Option<&'a LocalPhases>,
    pub template: Option<&'a CommandTemplate>,
    /// What is kept of a job's output unless the phase says `output_cap_mib`.
    pub output_cap_bytes: u64,
}

/// Plans a stage of a change. `consumers` take part in union and nowhere else.
#[must_use]
pub fn stage_plan(stage: Stage, own: Planned<'_>, consumers: &[Planned<'_>]) -> StagePlan {
    let consumers = if stage == Stage::Union { consumers } else { &[] };
    let group = |phases: &[Phase]| {
        let all = || std::iter::once(&own).chain(consumers);
        let plans = phases.iter().flat_map(|phase| all().map(|of| phase_plan(stage, *phase, of, own.at)));
        plans.collect()
    };
    StagePlan { stage, groups: groups(stage).iter().map(|phases| group(phases)).collect() }
}

fn phase_plan(stage: Stage, phase: Phase, of: &Planned<'_>, own: &PipelinePath) -> PhasePlan {
    let config = of.config.phase(phase);
    let script = command(stage, phase, of, &config);
    let skip = match (config.skip, &script) {
        (true, _) => Some(SkipReason::Configured),
        (false, None) => Some(SkipReason::NothingToRun),
        (false, Some(_)) => None,
    };
    let row = |(filter, continue_on_error)| RowPlan { filter, continue_on_error };
    let rows = config.filters.into_iter().zip(config.continue_on_error).map(row);
    PhasePlan {
        project: of.at.project.clone(),
        elsewhere: (of.at.org != own.org || of.at.pipeline != own.pipeline).then(|| of.at.clone()),
        change: of.change,
        phase,
        skip,
        spec: JobSpec {
            env: config.env,
            queue_limit_s: config.queue_s,
            run_limit_s: config.timeout_s,
            silence_limit_s: config.silence_s,
            stop_grace_s: config.stop_grace_s,
            workspace: of.source.workspace(),
            git: of.source.git(of.settings),
            orphan_grace_s: config.stop_after_disconnect_s,
            concurrency: config.concurrency,
            artifacts: config.artifacts,
            secrets: config.secrets,
            output_cap_bytes: config.output_cap_bytes.unwrap_or(of.output_cap_bytes),
            ..JobSpec::shell(if skip.is_some() { String::new() } else { script.unwrap_or_default() })
        },
        fail_fast: config.fail_fast,
        max_parallel: config.max_parallel,
        retry_on_lost: config.retry_on_lost,
        rows: rows.collect(),
    }
}

/// The first that says what the phase does.
fn command(stage: Stage, phase: Phase, of: &Planned<'_>, config: &PhaseConfig) -> Option<String> {
    let local = || of.local.and_then(|local| local.command(phase)).map(ToOwned::to_owned);
    let template = || of.template.map(|template| template.script(of.at, stage, phase));
    config.run.clone().or_else(local).or_else(template)
}
