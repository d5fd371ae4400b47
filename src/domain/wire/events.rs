//! What `GET /events` sends besides the things themselves.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::api::{JobBody, RunnerBody};
use super::change::ChangeBody;
use super::fan_out::FanOutBody;

/// `snapshot`: one page of what there is, of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SnapshotBody {
    /// All that the caller sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runners: Option<Vec<RunnerBody>>,
    /// Those that have not ended, or those that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<JobBody>>,
    /// Those that are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<ChangeBody>>,
    /// Those that have not ended, without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_outs: Option<Vec<FanOutBody>>,
    /// Another page follows; the last one has an id.
    pub more: bool,
}

/// What an event of `GET /events` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    Runner,
    Job,
    Change,
    FanOut,
}

/// `removed`: it is gone, or the caller does not see it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RemovedBody {
    pub kind: ThingKind,
    pub id: Uuid,
}

/// Why a reader cannot go on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The server was restarted since.
    Restarted,
    /// It has missed more changes than are remembered.
    Slow,
    /// Users, roles or tokens have changed, and perhaps what it sees.
    Access,
}

/// `reset`: everything that was told is to be forgotten; a snapshot follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ResetBody {
    pub reason: ResetReason,
}
