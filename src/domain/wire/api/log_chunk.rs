//! A piece of a job's output in an event stream, and in `shunt logs --json`.

use serde::{Deserialize, Serialize};

/// SSE `data` of `GET /jobs/:id/log/streaming`; the event's id is the offset after the chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogChunk {
    pub offset: u64,
    /// Absent: the first attempt. The output of another one begins at offset 0 again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Bytes right in front of `offset` that are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elided_bytes: u64,
    /// Standard base64 of the raw bytes.
    pub base64: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
