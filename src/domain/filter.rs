//! Filters: which runners may take a job. AND over keys, OR inside a key.

mod clause_text;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::closed::closed_list;
use crate::facts::Facts;
use crate::label::{check_capability, check_label};
use crate::runner::{BadName, check_hostname, check_name};

pub use clause_text::{BadClause, filter_of};

closed_list!(
    /// The keys of a filter, in the order in which a filter is written as text.
    FilterKey {
        Os = "os", Platform = "platform", PlatformFamily = "platform_family", PlatformVersion = "platform_version",
        Arch = "arch", Hostname = "hostname", Labels = "labels", Capabilities = "capabilities",
    }
);

/// A declared choice of runners. An empty list means that the key was not given; `{}` is any runner.
///
/// Values are compared exactly, case-sensitively. `labels` and `capabilities` are all-of, the other
/// keys any-of. Values keep the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub os: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub platform: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub platform_family: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub platform_version: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub arch: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub hostname: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub labels: Vec<String>,
    #[serde(default, deserialize_with = "values", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schemars(length(min = 1)))]
    pub capabilities: Vec<String>,
}

/// Reads the values of a key that was given: an empty list would not choose nobody, as it says, but everybody.
fn values<'de, D: Deserializer<'de>>(given: D) -> Result<Vec<String>, D::Error> {
    let values = Vec::<String>::deserialize(given)?;
    if values.is_empty() {
        return Err(D::Error::custom("the list is empty; leave the key out to accept any runner"));
    }
    Ok(values)
}

/// The longest fact that a filter may ask for, in bytes.
const MAX_FACT_BYTES: usize = 255;

/// Accepts a value that some runner can have under `key`.
///
/// # Errors
/// `BadName` for any other: a job that asks for it would wait for ever.
pub fn check_value(key: FilterKey, value: &str) -> Result<(), BadName> {
    match key {
        FilterKey::Hostname => check_hostname(value),
        FilterKey::Labels => check_label(value),
        FilterKey::Capabilities => check_capability(value),
        FilterKey::Os
        | FilterKey::Platform
        | FilterKey::PlatformFamily
        | FilterKey::PlatformVersion
        | FilterKey::Arch => {
            let good = (1..=MAX_FACT_BYTES).contains(&value.len()) && !value.chars().any(char::is_control);
            check_name(good, "value", value, "1 to 255 bytes without control characters")
        }
    }
}

/// What a filter looks at in a runner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    pub hostname: String,
    pub facts: Facts,
    pub labels: BTreeSet<String>,
    pub capabilities: BTreeSet<String>,
}

impl Filter {
    /// The values asked for under `key`; empty when the key is not given.
    #[must_use]
    pub fn values(&self, key: FilterKey) -> &[String] {
        match key {
            FilterKey::Os => &self.os,
            FilterKey::Platform => &self.platform,
            FilterKey::PlatformFamily => &self.platform_family,
            FilterKey::PlatformVersion => &self.platform_version,
            FilterKey::Arch => &self.arch,
            FilterKey::Hostname => &self.hostname,
            FilterKey::Labels => &self.labels,
            FilterKey::Capabilities => &self.capabilities,
        }
    }

    /// The list behind `key`, to be filled by a parser.
    pub fn values_mut(&mut self, key: FilterKey) -> &mut Vec<String> {
        match key {
            FilterKey::Os => &mut self.os,
            FilterKey::Platform => &mut self.platform,
            FilterKey::PlatformFamily => &mut self.platform_family,
            FilterKey::PlatformVersion => &mut self.platform_version,
            FilterKey::Arch => &mut self.arch,
            FilterKey::Hostname => &mut self.hostname,
            FilterKey::Labels => &mut self.labels,
            FilterKey::Capabilities => &mut self.capabilities,
        }
    }

    /// The keys that were given, in text order.
    pub fn clauses(&self) -> impl Iterator<Item = (FilterKey, &[String])> {
        FilterKey::ALL.iter().map(|key| (*key, self.values(*key))).filter(|(_, values)| !values.is_empty())
    }

    /// Tells whether one clause accepts the runner; a key that was not given accepts every runner.
    #[must_use]
    pub fn clause_matches(&self, key: FilterKey, runner: &Attributes) -> bool {
        let wanted = self.values(key);
        let any_of = |has: &str| wanted.is_empty() || wanted.iter().any(|w| w == has);
        match key {
            FilterKey::Os => any_of(&runner.facts.os),
            FilterKey::Platform => any_of(&runner.facts.platform),
            FilterKey::PlatformFamily => any_of(&runner.facts.platform_family),
            FilterKey::PlatformVersion => any_of(&runner.facts.platform_version),
            FilterKey::Arch => any_of(&runner.facts.arch),
            FilterKey::Hostname => any_of(&runner.hostname),
            FilterKey::Labels => wanted.iter().all(|w| runner.labels.contains(w)),
            FilterKey::Capabilities => wanted.iter().all(|w| runner.capabilities.contains(w)),
        }
    }

    /// Tells whether the runner may take a job with this filter.
    #[must_use]
    pub fn matches(&self, runner: &Attributes) -> bool {
        FilterKey::ALL.iter().all(|key| self.clause_matches(*key, runner))
    }

    /// The same filter with each list sorted and without repeats: two filters that accept the same
    /// runners by construction have the same canonical form.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        for key in FilterKey::ALL {
            let values = canonical.values_mut(*key);
            values.sort();
            values.dedup();
        }
        canonical
    }
}

/// Compact JSON with the keys in Chef's order; `{}` when any runner will do.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ubuntu() -> Attributes {
        Attributes {
            hostname: "u1".into(),
            facts: Facts {
                os: "linux".into(),
                platform: "ubuntu".into(),
                platform_version: "22.04".into(),
                ..Facts::default()
            },
            labels: ["gpu".into(), "region=eu".into()].into(),
            capabilities: ["docker".into()].into(),
        }
    }

    fn filter(json: &str) -> Filter {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn keys_are_and_values_are_or_and_labels_are_all_of() {
        for (json, expected) in [
            ("{}", true),
            (r#"{"os":["linux"]}"#, true),
            (r#"{"os":["windows","linux"],"platform":["ubuntu"]}"#, true),
            (r#"{"os":["linux"],"platform":["centos"]}"#, false),
            (r#"{"platform":["Ubuntu"]}"#, false),
            (r#"{"labels":["gpu","region=eu"]}"#, true),
            (r#"{"labels":["gpu","region=us"]}"#, false),
            (r#"{"capabilities":["docker"],"hostname":["u1","u2"]}"#, true),
            (r#"{"arch":["x86_64"]}"#, false),
        ] {
            assert_eq!(filter(json).matches(&ubuntu()), expected, "{json}");
        }
    }

    #[test]
    fn a_value_is_one_that_some_runner_can_have() {
        use FilterKey as K;
        for (key, value, what) in [
            (K::Os, "", "value"),
            (K::Platform, "a\nb", "value"),
            (K::PlatformVersion, &"9".repeat(256), "value"),
            (K::Hostname, "$(id)", "host name"),
            (K::Hostname, "", "host name"),
            (K::Labels, "GPU X", "label"),
            (K::Capabilities, "Docker", "capability"),
        ] {
            assert_eq!(check_value(key, value).unwrap_err().what, what, "{value:?}");
        }
        for (key, value) in
            [(K::PlatformFamily, "größer als"), (K::Arch, "x86_64"), (K::Hostname, "u1"), (K::Labels, "region=eu")]
        {
            assert_eq!(check_value(key, value), Ok(()));
        }
    }

    #[test]
    fn text_has_chefs_key_order_and_no_empty_keys() {
        let text = filter(r#"{"platform_version":["7"],"platform":["centos"],"os":["linux"]}"#).to_string();
        assert_eq!(text, r#"{"os":["linux"],"platform":["centos"],"platform_version":["7"]}"#);
        assert_eq!(Filter::default().to_string(), "{}");
    }
}
