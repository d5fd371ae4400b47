//! What retention would remove, in the API.

use serde::{Deserialize, Serialize};

/// The bounds, `null` for none, and what goes by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RetentionBody {
    pub log_max_age_days: Option<u64>,
    pub log_max_mib: Option<u64>,
    pub artifact_max_age_days: Option<u64>,
    pub artifact_max_mib: Option<u64>,
    pub job_max_age_days: Option<u64>,
    pub logs: KeptBody,
    pub artifacts: KeptBody,
    /// With all that belongs to them; fan-outs beside.
    pub jobs: KeptBody,
}

/// How many jobs lose it, and how much it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct KeptBody {
    pub jobs: u64,
    pub bytes: u64,
}

impl RetentionBody {
    /// Whether anything goes.
    #[must_use]
    pub const fn is_something(&self) -> bool {
        self.logs.jobs + self.artifacts.jobs + self.jobs.jobs > 0
    }
}
