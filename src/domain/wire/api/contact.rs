//! How a runner is: its last Test, and whether it is connected.

use serde::{Deserialize, Serialize};

use crate::runner::Health;

/// Chef's health: `{}` when never tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_output: Option<String>,
}

impl From<&Health> for HealthBody {
    fn from(health: &Health) -> Self {
        let (status, command_output) = match health {
            Health::Untested => (None, None),
            Health::Pending => (Some("pending"), None),
            Health::Ok { command_output } => (Some("ok"), Some(command_output.clone())),
            Health::Error { command_output } => (Some("error"), Some(command_output.clone())),
        };
        Self { status: status.map(Into::into), command_output }
    }
}

/// Whether the dispatcher has a live connection to the runner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactBody {
    /// `connected`, `connecting`, `unreachable`.
    pub status: String,
    pub since: String,
    /// Why it is unreachable, in one sentence: the last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Tries to connect that have failed in a row.
    #[serde(default)]
    pub tries: u32,
    /// When the next try begins; in the past: it is under way. Absent when nobody tries by itself (a quarantine).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<String>,
}
