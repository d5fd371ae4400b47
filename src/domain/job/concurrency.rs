//! Named groups of which only so many jobs run at a time.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::runner::{BadName, check_name};

/// What a group may let run at a time.
pub const GROUP_LIMITS: RangeInclusive<u32> = 1..=1000;

/// The longest name of a group.
const MAX_GROUP_CHARS: usize = 100;

/// The group of a job. Jobs of one organisation with the same group's name share it, whatever their project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    pub group: String,
    /// Jobs of the group that run at a time; where its waiting and running jobs say different numbers, the smallest counts.
    #[serde(default = "Concurrency::default_limit")]
    pub limit: u32,
}

impl Concurrency {
    /// One at a time, unless the job says otherwise.
    #[must_use]
    pub const fn default_limit() -> u32 {
        1
    }

    /// Accepts a group's name and limit as they may be stored.
    ///
    /// # Errors
    /// `BadName` says which of the two is wrong.
    pub fn check(&self) -> Result<(), BadName> {
        check_group(&self.group)?;
        check_name(GROUP_LIMITS.contains(&self.limit), "limit", &self.limit.to_string(), "1 to 1000 jobs")
    }
}

/// Accepts names of groups: letters, digits, `.`, `_`, `-`, `/` and `:`, starting with a letter or digit, up to 100.
///
/// # Errors
/// `BadName` for anything else.
pub fn check_group(text: &str) -> Result<(), BadName> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
    let good = (1..=MAX_GROUP_CHARS).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(letters);
    let allowed = "1 to 100 letters, digits, `.`, `_`, `-`, `/` or `:`, starting with a letter or digit";
    check_name(good, "group", text, allowed)
}

/// `GROUP` or `GROUP=N`.
impl FromStr for Concurrency {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (group, limit) = match text.split_once('=') {
            None => (text, Self::default_limit()),
            // A number that is none is out of every range.
            Some((group, limit)) => (group, limit.parse().unwrap_or(0)),
        };
        let told = Self { group: group.to_owned(), limit };
        check_group(group)?;
        check_name(GROUP_LIMITS.contains(&limit), "limit", text, "GROUP or GROUP=N with N from 1 to 1000")?;
        Ok(told)
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.group, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_name_and_a_number_of_jobs() {
        let read = |text: &str| text.parse::<Concurrency>();
        assert_eq!(read("deploy-prod"), Ok(Concurrency { group: "deploy-prod".into(), limit: 1 }));
        assert_eq!(read("db/eu:1=1000").unwrap().to_string(), "db/eu:1=1000");
        for bad in ["", "=1", "-x", "a b", "a=0", "a=1001", "a=x", "a=", "a=1=1", "ä", "$(id)", &"x".repeat(101)] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let stored: Concurrency = serde_json::from_str(r#"{"group":"g"}"#).unwrap();
        assert_eq!((stored.limit, stored.check()), (1, Ok(())));
        assert!(Concurrency { limit: 0, ..stored }.check().is_err());
    }
}
