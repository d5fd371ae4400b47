//! Placements of a job, and when there may be another one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attempt::AttemptRecord;
use crate::outcome::LostEvidence;
use crate::wire::time_text::rfc3339;

/// When a job may be started again by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Also when it is proved that its runner lost it; up to 5 placements in all.
    #[serde(default)]
    pub on_lost: bool,
}

/// One placement of a job, in `GET /jobs/:id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AttemptBody {
    pub attempt: u32,
    pub runner: Option<String>,
    /// When the intent to start was stored.
    pub intended_at: String,
    /// As the host said it then.
    pub boot_id: Option<String>,
    pub instance_id: Option<String>,
    /// What proved that the attempt is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LossBody>,
}

/// The proof of a loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LossBody {
    pub evidence: LostEvidence,
    pub at: String,
    /// As the host said it when the loss was proved.
    pub boot_id: Option<String>,
    pub instance_id: Option<String>,
}

impl From<&AttemptRecord> for AttemptBody {
    fn from(record: &AttemptRecord) -> Self {
        let lost = record.loss.as_ref().map(|loss| LossBody {
            evidence: loss.evidence,
            at: rfc3339(loss.at_ms),
            boot_id: loss.now.boot_id.clone(),
            instance_id: loss.now.instance_id.clone(),
        });
        Self {
            attempt: record.attempt,
            runner: record.hostname.clone(),
            intended_at: rfc3339(record.intended_at_ms),
            boot_id: record.host.boot_id.clone(),
            instance_id: record.host.instance_id.clone(),
            lost,
        }
    }
}

/// One sentence about a lost attempt: `attempt 1 on u1 was lost: rebooted (boot id then a, now b; instance id i)`; empty
/// for any other.
impl fmt::Display for AttemptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(lost) = &self.lost else { return Ok(()) };
        let known = |id: &Option<String>| id.clone().unwrap_or_else(|| "not known".into());
        let pair = |then: &Option<String>, now: &Option<String>| match (then, now) {
            (Some(then), Some(now)) if then == now => then.clone(),
            _ => format!("then {}, now {}", known(then), known(now)),
        };
        let runner = self.runner.as_deref().unwrap_or("a deleted runner");
        write!(f, "attempt {} on {runner} was lost: {} (boot id ", self.attempt, lost.evidence)?;
        write!(f, "{}; instance id ", pair(&self.boot_id, &lost.boot_id))?;
        write!(f, "{})", pair(&self.instance_id, &lost.instance_id))
    }
}
