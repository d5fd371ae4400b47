//! The last Test of a runner.

use serde::{Deserialize, Serialize};

use crate::probe::{Report, TestKind, TestRecord, Verdict};
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
