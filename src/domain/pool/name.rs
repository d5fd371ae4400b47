//! The names of pools and of their machines.
//!
//! A machine is called `POOL-TAG-RANDOM`, and its runner like it. The tag is the pool's own: a provider that two
//! dispatchers share never shows one of them the other's machines as its own, also when their pools have one name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::runner::BadName;

const MAX_CHARS: usize = 40;

/// The name of a pool: a part of host names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolName(String);

impl PoolName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PoolName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=MAX_CHARS).contains(&text.len()) && text.chars().all(letters);
        if good && !text.starts_with('-') && !text.ends_with('-') {
            return Ok(Self(text.to_owned()));
        }
        Err(BadName {
            what: "pool name",
            found: text.chars().take(80).collect(),
            allowed: "1 to 40 small letters, digits or `-`, not at either end: a part of its machines' host names",
            nearest: None,
        })
    }
}

impl TryFrom<String> for PoolName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<PoolName> for String {
    fn from(name: PoolName) -> Self {
        name.0
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the names of all machines of a pool begin with.
#[must_use]
pub fn instance_prefix(name: &str, pool: Uuid) -> String {
    // The end of a version 7 identifier is random, its beginning a time.
    let hex = pool.simple().to_string();
    format!("{name}-{}-", &hex[hex.len() - 6..])
}

/// A new machine's name; `id` is a new random identifier.
#[must_use]
pub fn instance_name(name: &str, pool: Uuid, id: Uuid) -> String {
    let hex = id.simple().to_string();
    format!("{}{}", instance_prefix(name, pool), &hex[hex.len() - 8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_name_is_a_part_of_host_names() {
        for good in ["gpu", "a", "gpu-2", &"x".repeat(40)] {
            assert!(good.parse::<PoolName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "a/b", "ä", &"x".repeat(41)] {
            assert!(bad.parse::<PoolName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_machines_name_tells_its_pool() {
        let (pool, other) = (Uuid::from_u128(0xabc_def0), Uuid::from_u128(0xabc_def1));
        assert_eq!(instance_name("gpu", pool, Uuid::from_u128(7)), "gpu-bcdef0-00000007");
        assert!(!instance_name("gpu", other, Uuid::from_u128(7)).starts_with(&instance_prefix("gpu", pool)));
    }
}
