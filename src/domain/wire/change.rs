//! A change as the API shows it: Chef's object, with keys of ours beside.
//!
//! Chef's `phase_run` is one row of a phase, which is a job here: the ids in `href` are those of jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::{Change, ChangeState, Source};
use crate::filter::Filter;
use crate::ids::{ChangeId, JobId, StageRunId};
use crate::phase::{Phase, Stage};
use crate::plan::SkipReason;
use crate::stage::{Action, PhaseShown, RowShown, RunPlan, RunView, Status, stage_shown};
use crate::tenancy::Name;
use crate::wire::time_text::{chef_time, rfc3339};

/// `GET …/changes/:id` and each element of `GET …/changes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChangeBody {
    pub id: ChangeId,
    pub title: String,
    pub description: String,
    pub state: ChangeState,
    pub submit_at: String,
    pub submit_by: String,
    pub approved_by: Option<String>,
    pub delivered_by: Option<String>,
    /// Those that the change has reached, in the order of the pipeline; the latest run of each.
    pub stages: Vec<StageBody>,
    /// What is allowed now: the action, and what to send for it.
    #[serde(rename = "_links")]
    pub links: BTreeMap<String, LinkBody>,

    pub org: Name,
    pub project: Name,
    pub pipeline: Name,
    pub source: Source,
    pub submitted_at: String,
    pub approved_at: Option<String>,
    pub delivered_at: Option<String>,
}

/// One stage of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct StageBody {
    pub stage: Stage,
    pub status: Status,
    pub phases: Vec<PhaseBody>,

    pub run: StageRunId,
    /// Counts the runs of this stage from 1.
    pub number: u32,
    pub triggered_by: Option<String>,
    pub cancelled_by: Option<String>,
    /// Why nothing could be planned.
    pub fault: Option<String>,
    pub created_at: String,
    pub finished_at: Option<String>,
}

/// One phase of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PhaseBody {
    pub name: Phase,
    pub status: Status,
    pub run_details: Vec<RowBody>,
}

/// One row of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RowBody {
    pub status: Status,
    /// `hello - {"os":["linux"]}`.
    pub description: String,
    /// Chef's page of the row's run, once there is a job.
    pub href: Option<String>,
    pub job_href: Option<String>,
    /// Always null: a search of the first dispatch.
    pub search_query: Option<String>,
    /// The filter as text.
    pub search_description: String,

    pub project: Name,
    pub filter: Filter,
    pub job: Option<JobId>,
    pub skip: Option<SkipReason>,
    pub continue_on_error: bool,
    /// The row passed in an earlier run and was not run again.
    pub carried: bool,
}

/// How an action is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LinkBody {
    pub method: String,
    pub href: String,
}

impl ChangeBody {
    /// Builds the answer; `runs` are the latest run of each stage, in any order.
    #[must_use]
    pub fn of(change: &Change, runs: &[RunView], allowed: &[Action]) -> Self {
        let stage = |stage: &Stage| runs.iter().find(|run| run.run.stage == *stage);
        let stands = runs.iter().max_by_key(|run| run.run.stage).map_or(Stage::Verify, |run| run.run.stage);
        let link = |action: &Action| (action.to_string(), link(change, *action, stands));
        Self {
            id: change.id,
            title: change.title.clone(),
            description: change.description.clone(),
            state: change.state,
            submit_at: chef_time(change.submitted.at_ms),
            submit_by: change.submitted.by.clone(),
            approved_by: change.approved.as_ref().map(|signed| signed.by.clone()),
            delivered_by: change.delivered.as_ref().map(|signed| signed.by.clone()),
            stages: Stage::ALL.iter().filter_map(stage).map(|run| stage_body(change, run)).collect(),
            links: allowed.iter().map(link).collect(),
            org: change.at.org.clone(),
            project: change.at.project.clone(),
            pipeline: change.at.pipeline.clone(),
            source: change.source.clone(),
            submitted_at: rfc3339(change.submitted.at_ms),
            approved_at: change.approved.as_ref().map(|signed| rfc3339(signed.at_ms)),
            delivered_at: change.delivered.as_ref().map(|signed| rfc3339(signed.at_ms)),
        }
    }
}

fn stage_body(change: &Change, view: &RunView) -> StageBody {
    let ((status, phases), run) = (stage_shown(view), &view.run);
    let fault = match &run.plan {
        RunPlan::Faulty(why) => Some(why.clone()),
        RunPlan::Unread | RunPlan::Made(_) => None,
    };
    StageBody {
        stage: run.stage,
        status,
        phases: phases.into_iter().map(|phase| phase_body(change, phase)).collect(),
        run: run.id,
        number: run.number,
        triggered_by: run.triggered_by.clone(),
        cancelled_by: run.cancel.as_ref().map(|cancel| cancel.by.clone()),
        fault,
        created_at: rfc3339(run.created_at_ms),
        finished_at: run.end.map(|end| rfc3339(end.at_ms)),
    }
}

fn phase_body(change: &Change, shown: PhaseShown) -> PhaseBody {
    let at = &change.at;
    let page = |job: JobId| format!("{}/pipelines/{}/phase_runs/{job}", project_href(change), at.pipeline);
    let row = |row: RowShown| RowBody {
        status: row.status,
        description: row.description,
        href: row.job.map(page),
        job_href: row.job.map(|job| format!("/api/v0/e/{}/jobs/{job}", at.enterprise)),
        search_query: None,
        search_description: row.filter.to_string(),
        project: row.project,
        filter: row.filter,
        job: row.job,
        skip: row.skip,
        continue_on_error: row.may_fail,
        carried: row.is_carried,
    };
    PhaseBody { name: shown.phase, status: shown.status, run_details: shown.rows.into_iter().map(row).collect() }
}

fn project_href(change: &Change) -> String {
    let at = &change.at;
    format!("/api/v0/e/{}/orgs/{}/projects/{}", at.enterprise, at.org, at.project)
}

fn link(change: &Change, action: Action, stands: Stage) -> LinkBody {
    let (method, tail) = match action {
        Action::Approve => ("POST", "/merge".to_owned()),
        Action::Deliver => ("POST", "/accept".to_owned()),
        Action::Trigger => ("POST", format!("/trigger/{stands}")),
        Action::RerunFailed => ("POST", format!("/trigger/{stands}?failed_only=true")),
        Action::Cancel => ("POST", "/cancel".to_owned()),
        Action::Close => ("DELETE", String::new()),
    };
    LinkBody { method: method.into(), href: format!("{}/changes/{}{tail}", project_href(change), change.id) }
}
