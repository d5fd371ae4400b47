//! The queue's own state in the API: whether jobs are started at all.

use serde::{Deserialize, Serialize};

/// Whether waiting jobs are started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct QueueBody {
    pub paused: bool,
    /// When it was paused, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The data is from a backup: it resumes by itself once every runner was asked what it has.
    #[serde(default)]
    pub restored: bool,
    /// Runners that were not asked yet; after a restore only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<String>,
    /// Attempts that runners have and the restored data does not know: they were placed after the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownAttempt>,
}

/// An attempt on a runner that no job is known for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UnknownAttempt {
    pub runner: String,
    /// `JOB-NUMBER`, as the directory on the host is called.
    pub attempt: String,
    /// It ran when the runner was asked.
    pub running: bool,
}

/// The body of a pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PauseQueue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
