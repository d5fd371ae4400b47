//! Changes of a runner by hand.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::runner::{RunnerSnapshot, RunnerState, Scope, StateNote};
use crate::wire::time_text::rfc3339;

/// `PATCH /runners/:hostname`. Keys that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchRunner {
    /// All labels. Not beside `add_labels` and `remove_labels`, which leave alone what others change meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeSet<String>>,
    /// A `key=value` takes the place of the key's value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub add_labels: BTreeSet<String>,
    /// A bare word removes the label and the key of that name, whatever its value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove_labels: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub add_capabilities: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove_capabilities: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// `"enterprise"`, or `{"org": "NAME"}` of an organisation that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RunnerState>,
    /// The jump host through which it is reached; `""`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// Why the state is changed; one line. Only beside `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Since when a runner is in its state, who wanted it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct StateNoteBody {
    pub since: String,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&StateNote> for StateNoteBody {
    fn from(note: &StateNote) -> Self {
        Self { since: rfc3339(note.at_ms), by: note.by.clone(), reason: note.reason.clone() }
    }
}

/// `since 2026-01-02T03:04:05.000Z by admin: new kernel`.
impl std::fmt::Display for StateNoteBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "since {} by {}", self.since, self.by)?;
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
    }
}

/// What a job's runner was, in `GET /jobs/:id` of a job whose runner is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DeletedRunnerBody {
    pub hostname: String,
    pub facts: Facts,
    pub labels: BTreeSet<String>,
    pub capabilities: BTreeSet<String>,
    pub scope: Scope,
    pub deleted_at: String,
}

impl DeletedRunnerBody {
    #[must_use]
    pub fn of(deleted_at_ms: i64, runner: RunnerSnapshot) -> Self {
        Self {
            hostname: runner.hostname,
            facts: runner.facts,
            labels: runner.labels,
            capabilities: runner.capabilities,
            scope: runner.scope,
            deleted_at: rfc3339(deleted_at_ms),
        }
    }
}
