//! Bootstraps and their steps.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::RunnerBody;
use crate::probe::Probe;
use crate::runner::Scope;

/// `POST /runners/:hostname/install`. Exactly one of `password` and `private_key`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InstallRunner {
    /// Where to connect; the host name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default = "default_ssh_port")]
    pub port: u16,
    /// The login that does the bootstrap.
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// An OpenSSH private key, as text; used for this bootstrap only, never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// Passphrase of `private_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// `SHA256:…` the host must show. Absent on a first try: the stream then ends with
    /// `host_key_unconfirmed` and the fingerprint, and nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Jobs run as the login user; nothing is done with root's rights.
    #[serde(default)]
    pub no_sudo: bool,
    /// Absent: keep what an earlier enrolment set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// It takes one job and is then removed. Absent: what an earlier bootstrap set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_off: bool,
    /// `"enterprise"`, or `{"org": "NAME"}` of an organisation that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The jump host through which it is reached, now and later; `""`: none. Absent: none, or as an earlier enrolment set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
}

/// `POST /runners`, Chef's way to add one; what Chef's clients say of its platform may stand there, too, and does not count.
#[cfg(feature = "openapi")]
#[derive(schemars::JsonSchema)]
pub struct AddRunner {
    pub hostname: String,
    #[schemars(flatten)]
    pub install: InstallRunner,
}

/// `POST /runners/:hostname/accept-host-key`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptHostKey {
    /// `SHA256:…` the host must show. Absent: the stream ends with `host_key_unconfirmed` and the key that it shows now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
}

/// The port of sshd.
#[must_use]
pub const fn default_ssh_port() -> u16 {
    22
}

/// One event of the install, delete and test streams (SSE `data`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepEvent {
    /// A step began.
    Began { step: String, title: String },
    /// A step ended well; `detail` is one line for people.
    Done { step: String, detail: String },
    /// A Test has looked at one thing more; comes in no fixed order.
    Probed { probe: Probe },
    /// The host showed a key that nobody has confirmed; nothing was changed. Try again with `host_key`.
    HostKeyUnconfirmed { fingerprint: String, key_type: String },
    /// A step failed and what was done was undone.
    Failed { step: String, why: String, try_next: String, rolled_back: Vec<String>, left_behind: Vec<String> },
    /// All is done.
    Finished { runner: Option<Box<RunnerBody>>, left_behind: Vec<String> },
}
