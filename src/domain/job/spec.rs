//! What a job does on its runner, and how far it may go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Concurrency;
use crate::digest::Digest;
use crate::filter::Filter;
use crate::git_source::GitSource;
use crate::ids::FanOutId;
use crate::runner::HAS_GIT;
use crate::secret::SecretUse;

/// What a job does on its runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// A POSIX shell script; run by `/bin/sh`.
    pub script: String,
    /// Added to the job's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Seconds the job may wait from its submission to its start; `None` = no limit.
    #[serde(default)]
    pub queue_limit_s: Option<u32>,
    /// Seconds the job may run; `None` = no limit.
    #[serde(default)]
    pub run_limit_s: Option<u32>,
    /// Seconds the job may write nothing; `None` = no limit.
    #[serde(default)]
    pub silence_limit_s: Option<u32>,
    /// Seconds between TERM and KILL.
    #[serde(default = "JobSpec::default_stop_grace_s")]
    pub stop_grace_s: u32,
    /// Bytes of output that are kept, half of them from its beginning and half from its end.
    #[serde(default = "JobSpec::default_output_cap_bytes")]
    pub output_cap_bytes: u64,
    /// What its log on the runner may take before the job is stopped; `None` = no limit. See `spool_bound_bytes`.
    #[serde(default)]
    pub spool_cap_bytes: Option<u64>,
    /// Seconds the job goes on when its channel ends without a word; `None` = for ever. People call it
    /// `stop_after_disconnect_s`.
    #[serde(default)]
    pub orphan_grace_s: Option<u32>,
    /// The tree of files that the job starts in; `None` = an empty directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Digest>,
    /// Patterns of files to keep of its work directory (`crate::artifacts`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The clone that the job starts in, made by its runner; never beside a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
    /// When it is proved that an attempt is lost, the job is started again as another one.
    #[serde(default)]
    pub retry_on_lost: bool,
    /// The group whose limit it counts under; `None` = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The secrets that it is handed: names, never values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUse>,
    /// The fan-out that it is a row of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutId>,
}

impl JobSpec {
    /// Ten seconds between TERM and KILL unless the job says otherwise.
    #[must_use]
    pub const fn default_stop_grace_s() -> u32 {
        10
    }

    /// One GiB of output is kept unless the configuration or the job says otherwise.
    #[must_use]
    pub const fn default_output_cap_bytes() -> u64 {
        1 << 30
    }

    /// Bytes of output at which the job is stopped: never less than what is kept of it.
    #[must_use]
    pub fn spool_bound_bytes(&self) -> Option<u64> {
        self.spool_cap_bytes.map(|cap| cap.max(self.output_cap_bytes))
    }

    /// Which runners may take a job with this filter: what its author asks for, and git where it starts in a clone.
    #[must_use]
    pub fn needs(&self, filter: &Filter) -> Filter {
        let mut needs = filter.clone();
        needs.capabilities.extend(self.git.is_some().then(|| HAS_GIT.to_owned()));
        needs
    }

    /// Tells whether its start may hold something secret: only then is there something to mask.
    #[must_use]
    pub const fn may_hold_secrets(&self) -> bool {
        !self.secrets.is_empty() || self.git.is_some()
    }

    /// What a job is called that nobody has given a title: the first line of its script, at most 120 characters.
    #[must_use]
    pub fn title_of(script: &str) -> String {
        let first_line = script.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        first_line.trim().chars().filter(|c| !c.is_control()).take(120).collect()
    }

    /// A job that runs `script` with every default.
    #[must_use]
    pub fn shell(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            env: BTreeMap::new(),
            queue_limit_s: None,
            run_limit_s: None,
            silence_limit_s: None,
            stop_grace_s: Self::default_stop_grace_s(),
            output_cap_bytes: Self::default_output_cap_bytes(),
            spool_cap_bytes: None,
            orphan_grace_s: None,
            workspace: None,
            artifacts: Vec::new(),
            git: None,
            retry_on_lost: false,
            concurrency: None,
            secrets: Vec::new(),
            fan_out: None,
        }
    }
}
