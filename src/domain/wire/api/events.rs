//! The histories of jobs and runners.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::closed::closed_list;
use crate::job::JobEvent;
use crate::runner::RunnerSnapshot;

/// Each element of `GET /jobs/:id/events`, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JobEventBody {
    /// Counts the job's events from 1, without gaps.
    pub seq: u32,
    pub at: String,
    #[serde(flatten)]
    pub event: RecordedBody,
}

/// What happened to a job, with its word under `event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RecordedBody {
    /// It was stored.
    Submitted {
        event: Submitted,
    },
    Applied(JobEvent),
}

closed_list!(
    /// The word of a job's first event.
    Submitted { Submitted = "submitted" }
);

/// Each element of `GET /runners/:hostname/events`, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RunnerEventBody {
    pub at: String,
    #[serde(flatten)]
    pub event: RunnerEventKind,
}

/// What people did to a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunnerEventKind {
    /// A host's new key was confirmed. Keys are `SHA256:…` fingerprints.
    HostKeyAccepted { by: String, before: Vec<String>, after: Vec<String> },
    /// Labels, capabilities, slots, scope or state were changed.
    Changed {
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// By key.
        changes: BTreeMap<String, ValueChange>,
    },
    /// It left the inventory.
    Deleted {
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        runner: Box<RunnerSnapshot>,
    },
}

/// A value as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ValueChange {
    pub before: Value,
    pub after: Value,
}
