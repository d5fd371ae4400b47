//! The inventory record of a host.

mod health;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::Place;
use crate::closed::closed_list;
use crate::facts::Facts;
use crate::filter::Attributes;
use crate::ids::{JobId, RunnerId};
use crate::tenancy::Name;
use crate::via::Via;
use crate::wire::time_text::rfc3339;

pub use crate::label::check_label;
pub use health::Health;

closed_list!(
    /// What the inventory says about a runner. Contact is not part of it.
    RunnerState {
        /// Has enrolled itself and passed Test; waits until somebody approves it.
        Pending = "pending",
        /// May be given jobs.
        Enrolled = "enrolled",
        /// Finishes what it has and takes no more.
        Draining = "draining",
        /// Takes nothing.
        Disabled = "disabled",
        /// Showed a host key that is not pinned; nothing is sent to it.
        Quarantined = "quarantined",
    }
);

/// Which organisations a runner serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every organisation.
    #[default]
    Enterprise,
    /// One organisation only.
    Org(String),
}

impl Scope {
    /// The one organisation that it serves; `None` for all.
    #[must_use]
    pub fn org(&self) -> Option<&str> {
        match self {
            Self::Enterprise => None,
            Self::Org(org) => Some(org),
        }
    }

    /// Where it lies; what serves all lies in the enterprise.
    #[must_use]
    pub fn place(&self) -> Place {
        self.org().map_or(Place::Enterprise, |org| Place::of(org, ""))
    }
}

/// `enterprise`, or `org:NAME`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enterprise => f.write_str("enterprise"),
            Self::Org(org) => write!(f, "org:{org}"),
        }
    }
}

impl FromStr for Scope {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text == "enterprise" {
            return Ok(Self::Enterprise);
        }
        let refused = || BadName {
            what: "scope",
            found: text.chars().take(80).collect(),
            allowed: "`enterprise`, or `org:NAME`",
            nearest: None,
        };
        let name = text.strip_prefix("org:").ok_or_else(refused)?;
        Ok(Self::Org(name.parse::<Name>()?.into()))
    }
}

/// Since when a runner is in its state, who wanted it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateNote {
    pub at_ms: i64,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `since 2026-01-02T03:04:05.000Z by admin: new kernel`.
impl fmt::Display for StateNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {} by {}", rfc3339(self.at_ms), self.by)?;
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
    }
}

/// What is kept of a runner that was deleted, for the jobs that ran on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RunnerSnapshot {
    pub hostname: String,
    pub facts: Facts,
    pub labels: BTreeSet<String>,
    pub capabilities: BTreeSet<String>,
    pub scope: Scope,
}

impl From<&Runner> for RunnerSnapshot {
    fn from(runner: &Runner) -> Self {
        Self {
            hostname: runner.hostname.clone(),
            facts: runner.facts.clone(),
            labels: runner.labels.clone(),
            capabilities: runner.capabilities.clone(),
            scope: runner.scope.clone(),
        }
    }
}

/// How the dispatcher reaches the account under which jobs run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name or IP address to connect to.
    pub address: String,
    pub port: u16,
    pub user: String,
    /// Pinned host keys as `ALGORITHM BASE64` lines; never empty for an enrolled runner.
    pub host_keys: Vec<String>,
    /// What carries the connections to it.
    #[serde(default)]
    pub via: Via,
}

/// What the bootstrap left on the host, and what it learnt about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Absolute path of the wrapper file.
    pub wrapper_path: String,
    /// Absolute path of the base directory (spools, work directories).
    pub base_dir: String,
    /// Content hash of the wrapper, as in its file name.
    pub wrapper_version: String,
    /// Random, made once per base directory.
    pub instance_id: String,
    pub boot_id: String,
    /// `job_runner` with a root-owned keys file, made with root's rights; else the login user.
    pub system_mode: bool,
    /// The host is the one that the dispatcher runs itself, on its own machine; nobody installs or removes it by hand.
    #[serde(default, skip_serializing_if = "is_false")]
    pub local: bool,
    /// Programs found on the host: `setsid`, `tail`, `git` …
    pub tools: BTreeSet<String>,
    /// By which means a job's processes are found when it is stopped, strongest first; empty: not asked yet.
    #[serde(default)]
    pub stop_means: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a runner that takes one job only has of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OneOff {
    /// The job that it was given; from the commit of that placement on it takes no other, whatever becomes of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// A host that takes jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    pub id: RunnerId,
    /// The runner's name in the inventory; unique.
    pub hostname: String,
    pub endpoint: Endpoint,
    /// Public half of the key made for this runner, as an OpenSSH line ending in `job_runner@HOSTNAME`.
    pub openssh_public_key: String,
    pub installation: Installation,
    pub facts: Facts,
    pub labels: BTreeSet<String>,
    pub capabilities: BTreeSet<String>,
    pub scope: Scope,
    /// Jobs it may run at a time.
    pub slots: u32,
    /// It takes one job and is then removed; its slots count as one.
    pub one_off: Option<OneOff>,
    /// The pool that started its machine, and stops it.
    pub pool: Option<String>,
    pub state: RunnerState,
    /// `None` while it has the state of its bootstrap, and for what earlier versions stored.
    pub state_note: Option<StateNote>,
    pub health: Health,
    pub created_at_ms: i64,
    pub last_seen_at_ms: Option<i64>,
    pub version: i64,
}

impl Runner {
    /// Jobs that it may run at a time.
    #[must_use]
    pub const fn slots_at_a_time(&self) -> u32 {
        if self.one_off.is_some() { 1 } else { self.slots }
    }

    /// The one job of a runner that takes one, once it was given it.
    #[must_use]
    pub fn spent_by(&self) -> Option<JobId> {
        self.one_off.and_then(|one_off| one_off.job)
    }

    /// What filters look at.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let has_git = self.installation.tools.contains("git");
        let found = has_git.then(|| HAS_GIT.to_owned());
        Attributes {
            hostname: self.hostname.clone(),
            facts: self.facts.clone(),
            labels: self.labels.clone(),
            capabilities: self.capabilities.iter().cloned().chain(found).collect(),
        }
    }
}

/// The capability that every runner has on which git was found.
pub const HAS_GIT: &str = "tool=git";

/// A name that cannot be a runner's, a label's or a user's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadName {
    pub what: &'static str,
    pub found: String,
    pub allowed: &'static str,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, allowed, nearest } = self;
        write!(f, "{what} `{found}` is not allowed: {allowed}")?;
        nearest.iter().try_for_each(|nearest| write!(f, "; did you mean `{nearest}`?"))
    }
}

/// The longest reason for a state, in characters.
pub const MAX_REASON_CHARS: usize = 300;

/// Accepts what people give as a reason: one line of text.
///
/// # Errors
/// `BadName` for anything else.
pub fn check_reason(text: &str) -> Result<(), BadName> {
    let good = (1..=MAX_REASON_CHARS).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
    check_name(good, "reason", text, "one line of 1 to 300 characters")
}

/// More slots than any host is asked to run.
pub const MAX_SLOTS: u32 = 1000;

/// Accepts host names and addresses: letters, digits, `.`, `-`, `_` and `:`, not starting with `-` or `.`.
///
/// # Errors
/// `BadName` for anything else, shell characters included.
pub fn check_hostname(text: &str) -> Result<(), BadName> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let good = (1..=253).contains(&text.len()) && text.chars().all(letters) && !text.starts_with(['-', '.']);
    check_name(good, "host name", text, "1 to 253 letters, digits, `.`, `-`, `_` or `:`, not starting with `-` or `.`")
}

/// Accepts POSIX user names: `[a-z_][a-z0-9_-]*`, also upper case and `.`, up to 32 characters.
///
/// # Errors
/// `BadName` for anything else.
pub fn check_user(text: &str) -> Result<(), BadName> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let good = (1..=32).contains(&text.len()) && text.chars().all(letters) && !text.starts_with(['-', '.']);
    check_name(good, "user name", text, "1 to 32 letters, digits, `.`, `-` or `_`, not starting with `-` or `.`")
}

/// Names `what` was `found` and what is `allowed` when it is not `good`.
pub(crate) fn check_name(good: bool, what: &'static str, found: &str, allowed: &'static str) -> Result<(), BadName> {
    if good { Ok(()) } else { Err(BadName { what, found: found.chars().take(80).collect(), allowed, nearest: None }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_shell_characters_are_refused() {
        for bad in ["", "-oProxyCommand=x", "a b", "a;b", "$(id)", "a'b", "a\nb", ".a", "ä"] {
            assert!(check_hostname(bad).is_err(), "{bad:?}");
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
        for good in ["build-1.example.com", "10.0.0.7", "fe80::1", "u_1"] {
            assert_eq!(check_hostname(good), Ok(()));
        }
    }
}
