//! The live side of a runner.

use serde_json::{Map, Value};

use super::ContactBody;
use crate::ids::JobId;
use crate::wire::dial_out::TunnelBody;

/// What a runner's answer needs beside its record.
#[derive(Clone, Debug)]
pub struct RunnerLive {
    pub contact: ContactBody,
    pub connections: usize,
    pub max_sessions: Option<usize>,
    pub running_jobs: Vec<JobId>,
    /// Chef's `job` object of one of them; empty when idle.
    pub job: Map<String, Value>,
    pub host_keys: Vec<String>,
    /// Of a runner that dials out, while its tunnel is up.
    pub dial_out: Option<TunnelBody>,
}
