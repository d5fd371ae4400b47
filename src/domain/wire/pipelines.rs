//! Requests about changes and pipelines, and the answers that are no change.

use serde::{Deserialize, Serialize};

use crate::change::Source;
use crate::ids::ChangeId;
use crate::phase::Stage;
use crate::plan::{Forecast, PhaseDifference};
use crate::stage::Status;

/// `POST …/pipelines/:pipe/changes`: a new change, which begins in verify at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitChange {
    /// One line.
    pub title: String,
    #[serde(default)]
    pub description: String,
    pub source: Source,
    /// The text of config.json, of a source that the dispatcher cannot read itself (`git`, `none`). A workspace has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The text of `.delivery/project.toml`, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_phases: Option<String>,
}

/// `POST …/pipelines/:pipe/plan`: what a change with this configuration would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Empty: every stage.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// The text of config.json.
    pub config: String,
    /// The text of `.delivery/project.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_phases: Option<String>,
}

/// The answer to a plan, and to `GET …/changes/:id/plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PlanBody {
    /// Those that were asked for, in the order of the pipeline.
    pub stages: Vec<StagePlanBody>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct StagePlanBody {
    #[serde(flatten)]
    pub forecast: Forecast,
    /// The run of the stage that the plan is compared with: the pipeline's last one that had a plan.
    pub last: Option<LastRun>,
    /// What would be otherwise than in it.
    pub differences: Vec<PhaseDifference>,
}

/// An earlier run of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LastRun {
    pub change: ChangeId,
    pub title: String,
    pub number: u32,
    /// `running` while it is open.
    pub status: Status,
    pub created_at: String,
}
