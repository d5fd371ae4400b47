//! Whether the dispatcher has a connection to a runner.

use serde::{Deserialize, Serialize};

/// Whether the dispatcher has a live connection to the runner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ContactBody {
    /// `connected`, `connecting`, `unreachable`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["connected", "connecting", "unreachable"])))]
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
