//! Requests that make jobs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Retry;
use crate::digest::Digest;
use crate::filter::Filter;
use crate::git_source::GitSource;
use crate::job::Concurrency;
use crate::phase::Phase;
use crate::secret::SecretUse;
use crate::wire::object::object;

/// `POST /jobs`: one ad-hoc job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitJob {
    /// A POSIX shell script.
    pub script: String,
    /// One line for people; the script's first line when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "object")]
    pub filter: Filter,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub priority: i32,
    /// Seconds from the submission to the start; the job is `expired` after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_limit_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_limit_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_limit_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_grace_s: Option<u32>,
    /// Bytes of output that are kept, head and tail; absent: what the dispatcher's configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cap_bytes: Option<u64>,
    /// Seconds the job goes on after the dispatcher was lost; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after_disconnect_s: Option<u32>,
    #[serde(default, deserialize_with = "object")]
    pub retry: Retry,
    #[serde(default)]
    pub project: String,
    /// The tree of files that the job starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Digest>,
    /// The group under whose limit it counts: `{"group": …, "limit": N}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Patterns of files to keep of its work directory (`domain::artifacts`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The clone that the job starts in; never beside a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// The secrets that it is handed: `"NAME"`, `{"secret": …, "env": …}` or `{"file": …}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUse>,
}

/// `POST /phase_runs`: the jobs of one phase of a project's config.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitPhaseRun {
    pub project: String,
    pub phase: Phase,
    /// The whole text of config.json; checked again by the server.
    pub config: String,
    /// The text of `.delivery/project.toml`: what the phase runs when config.json does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_phases: Option<String>,
    /// Added to the environment of every row.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub priority: i32,
    /// The group of every row, instead of the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The tree of files that every row starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Digest>,
    /// The clone that every row starts in; never beside a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
}

/// `PUT /orgs/ORG/projects/PROJECT/limits`, and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectLimits {
    /// Jobs of the project that may run at a time; `null` for any number, 0 for none.
    pub running: Option<u32>,
    /// Jobs of the project that may wait and run together; this and those below are as `[limits]` of the daemon says when
    /// they are absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished_jobs: Option<u32>,
    /// Bytes of one job's script, up to 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_bytes: Option<u32>,
    /// Rows of one phase run, up to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_rows: Option<u32>,
    /// What a job may ask to keep of its output, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_log_bytes: Option<u64>,
}
