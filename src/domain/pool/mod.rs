//! Pools: machines that a provider starts when jobs wait for them, and stops when none do.
//!
//! What people say about a pool (`PoolSpec`), what becomes of each of its machines (`instance`), and how many there are
//! to be (`scale`). Nothing here calls anybody: the same view gives the same answer.

pub mod instance;
pub mod name;
pub mod scale;
mod share;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::filter::Attributes;
use crate::label::{MAX_LABELS, check_capability, check_label, two_values};
use crate::runner::{BadName, HAS_GIT, MAX_SLOTS, Scope};

pub use share::{ClassDemand, share};

/// The longest time that a limit may be, in seconds: 30 days.
pub const MAX_LIMIT_S: u32 = 30 * 24 * 3600;
/// More machines than any pool has.
pub const MAX_INSTANCES: u32 = 1000;

/// What people say about a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// Where its provider is called: one `https://` URL for `start`, `list` and `stop`.
    pub url: String,
    /// Where its machines reach this server, to enrol themselves.
    pub enrol_url: String,
    /// It starts machines. Without it those that are there end their jobs and are stopped.
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub labels: BTreeSet<String>,
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// What its machines will say about themselves: what jobs that ask for facts are matched with before one is there.
    #[serde(default)]
    pub facts: ExpectedFacts,
    #[serde(default = "one")]
    pub slots: u32,
    /// Each machine takes one job.
    #[serde(default)]
    pub one_off: bool,
    /// The network that its machines must enrol from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Machines that are there always.
    #[serde(default)]
    pub min: u32,
    /// Machines that there are at most, those that are being started or stopped included.
    #[serde(default = "one")]
    pub max: u32,
    /// Machines without a job that are held ready.
    #[serde(default)]
    pub warm: u32,
    /// Seconds that one stays without a job.
    #[serde(default = "default_idle_limit_s")]
    pub idle_limit_s: u32,
    /// Seconds after which one takes no more jobs and goes; absent: it may get as old as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<u32>,
    /// Seconds in which one must have enrolled.
    #[serde(default = "default_start_limit_s")]
    pub start_limit_s: u32,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

/// Seconds that a machine stays without a job when nobody says it.
#[must_use]
pub const fn default_idle_limit_s() -> u32 {
    600
}

/// Seconds in which a machine must have enrolled when nobody says it.
#[must_use]
pub const fn default_start_limit_s() -> u32 {
    600
}

/// What a machine of the pool is expected to be; empty: not known, and no job that asks for it starts one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedFacts {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform_family: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arch: String,
    /// Git is on it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub git: bool,
}

/// The runner that a pool would make, as filters see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub attributes: Attributes,
    pub scope: Scope,
}

/// A value of a pool that is outside of what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct BadPool {
    pub path: &'static str,
    pub message: String,
    pub allowed: &'static str,
}

impl PoolSpec {
    /// A pool of which nothing else is said.
    #[must_use]
    pub fn new(url: String, enrol_url: String) -> Self {
        Self {
            url,
            enrol_url,
            enabled: yes(),
            scope: Scope::default(),
            labels: BTreeSet::new(),
            capabilities: BTreeSet::new(),
            facts: ExpectedFacts::default(),
            slots: one(),
            one_off: false,
            cidr: None,
            min: 0,
            max: one(),
            warm: 0,
            idle_limit_s: default_idle_limit_s(),
            lifetime_s: None,
            start_limit_s: default_start_limit_s(),
        }
    }

    /// The runner that the pool would make. Its host name is not known: no filter by name matches it.
    #[must_use]
    pub fn template(&self) -> Template {
        let ExpectedFacts { os, platform, platform_family, platform_version, arch, git } = self.facts.clone();
        let facts = Facts { os, platform, platform_family, platform_version, arch, ..Facts::default() };
        let found = git.then(|| HAS_GIT.to_owned());
        let capabilities = self.capabilities.iter().cloned().chain(found).collect();
        let attributes = Attributes { hostname: String::new(), facts, labels: self.labels.clone(), capabilities };
        Template { attributes, scope: self.scope.clone() }
    }

    /// Jobs that one machine runs at a time.
    #[must_use]
    pub const fn slots_at_a_time(&self) -> u32 {
        if self.one_off { 1 } else { self.slots }
    }

    /// Checks all that can be told without looking elsewhere; not the URLs, and not whether the organisation is there.
    ///
    /// # Errors
    /// `BadPool` names the first value that cannot be.
    pub fn check(&self) -> Result<(), BadPool> {
        check_words("labels", &self.labels, check_label)?;
        check_words("capabilities", &self.capabilities, check_capability)?;
        let numbers = [
            ("slots", self.slots, 1, MAX_SLOTS, "1 to 1000"),
            ("max", self.max, 1, MAX_INSTANCES, "1 to 1000 machines"),
            ("min", self.min, 0, self.max, "0 to `max` machines"),
            ("warm", self.warm, 0, self.max, "0 to `max` machines"),
            ("idle_limit_s", self.idle_limit_s, 1, MAX_LIMIT_S, "1 to 2592000 seconds (30 days)"),
            ("lifetime_s", self.lifetime_s.unwrap_or(1), 1, MAX_LIMIT_S, "1 to 2592000 seconds (30 days)"),
            ("start_limit_s", self.start_limit_s, 1, 86_400, "1 to 86400 seconds (a day)"),
        ];
        for (path, number, least, most, allowed) in numbers {
            if !(least..=most).contains(&number) {
                return Err(BadPool { path, message: format!("{number} is out of range"), allowed });
            }
        }
        let facts = &self.facts;
        let words = [&facts.os, &facts.platform, &facts.platform_family, &facts.platform_version, &facts.arch];
        if words.iter().any(|word| word.len() > 100 || word.chars().any(char::is_control)) {
            let message = "one of them is no fact".to_owned();
            return Err(BadPool { path: "facts", message, allowed: "words of up to 100 bytes, as runners show them" });
        }
        Ok(())
    }
}

fn check_words(
    path: &'static str,
    words: &BTreeSet<String>,
    check: fn(&str) -> Result<(), BadName>,
) -> Result<(), BadPool> {
    for word in words {
        check(word).map_err(|wrong| BadPool { path, message: wrong.to_string(), allowed: wrong.allowed })?;
    }
    if let Some((key, two)) = two_values(words) {
        let message = format!("`{key}` has two values: {}", two.join(", "));
        return Err(BadPool { path, message, allowed: "one value for a key" });
    }
    if words.len() > MAX_LABELS {
        return Err(BadPool { path, message: format!("{} are too many", words.len()), allowed: "up to 64" });
    }
    Ok(())
}
