//! The audit log over HTTP.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /audit`: one act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditBody {
    /// Counts from 1 without a gap.
    pub seq: i64,
    pub at: String,
    /// As it is hashed, in Unix milliseconds.
    pub at_ms: i64,
    /// The user, or what the token of a machine is called.
    pub actor: String,
    pub token_id: Option<String>,
    pub address: Option<String>,
    pub request_id: String,
    /// What was done, such as `runner.change`; `request.…` for what changes no record, `refused.…` for want of a role.
    pub action: String,
    pub subject: String,
    /// What changed, as it was.
    pub before: Option<Value>,
    /// What changed, as it is then.
    pub after: Option<Value>,
    /// SHA-256 of the row before it.
    pub previous: String,
    /// SHA-256 of this row, `previous` included.
    pub hash: String,
}

/// `GET /audit/check`: whether every row is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditCheckBody {
    /// Rows that are whole, from the first on.
    pub rows: i64,
    /// The hash of the last of them.
    pub head: String,
    pub fault: Option<AuditFault>,
}

/// The first row that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditFault {
    pub seq: i64,
    pub why: String,
}
