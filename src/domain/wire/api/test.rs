//! The health of a runner, and its last Test.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::probe::{Report, TestKind, TestRecord, Verdict};
use crate::runner::Health;
use crate::wire::time_text::rfc3339;

/// What the last Test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTestBody {
    /// When it had ended.
    pub at: String,
    pub kind: TestKind,
    /// The worst of its probes, `ok` at best.
    pub verdict: Verdict,
    pub probes: Report,
}

impl From<TestRecord> for LastTestBody {
    fn from(test: TestRecord) -> Self {
        let TestRecord { at_ms, kind, report } = test;
        Self { at: rfc3339(at_ms), kind, verdict: report.verdict(), probes: report }
    }
}

/// Chef's health: `{}` when never tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HealthBody {
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub command_output: Option<String>,
}

/// Both keys, or none when it was never tested: what has no output yet says so with `null`, as Chef's does.
impl Serialize for HealthBody {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut body = to.serialize_map(None)?;
        if let Some(status) = &self.status {
            body.serialize_entry("status", status)?;
            body.serialize_entry("command_output", &self.command_output)?;
        }
        body.end()
    }
}

impl From<&Health> for HealthBody {
    fn from(health: &Health) -> Self {
        let (status, command_output) = match health {
            Health::Untested => (None, None),
            Health::Pending { .. } => (Some("pending"), None),
            Health::Ok { command_output } => (Some("ok"), Some(command_output.clone())),
            Health::Error { command_output } => (Some("error"), Some(command_output.clone())),
        };
        Self { status: status.map(Into::into), command_output }
    }
}
