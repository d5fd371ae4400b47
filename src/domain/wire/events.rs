//! What the event streams of the HTTP API carry.

use serde::{Deserialize, Serialize};

use crate::wire::api::RunnerBody;

/// One event of the install, delete and test streams (SSE `data`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepEvent {
    /// A step began.
    Began { step: String, title: String },
    /// A step ended well; `detail` is one line for people.
    Done { step: String, detail: String },
    /// The host showed a key that nobody has confirmed; nothing was changed. Try again with `host_key`.
    HostKeyUnconfirmed { fingerprint: String, key_type: String },
    /// A step failed and what was done was undone.
    Failed { step: String, why: String, try_next: String, rolled_back: Vec<String>, left_behind: Vec<String> },
    /// All is done.
    Finished { runner: Option<Box<RunnerBody>>, left_behind: Vec<String> },
}

/// SSE `data` of `GET /jobs/:id/log/streaming`; the event's id is the offset after the chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    pub offset: u64,
    /// Standard base64 of the raw bytes.
    pub base64: String,
}
