//! Where a change belongs: enterprise, organisation, project, pipeline; and what may be such a name.
//!
//! A name stands in URLs, file names, environment variables and command templates, so its letters are those
//! that mean nothing anywhere: letters, digits, `.`, `_`, `-`, at most 100 of them, not starting with `.` or
//! `-`. Names are compared exactly, as Chef does: `BackendAPI` and `backendapi` are two projects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::runner::BadName;

/// The longest name.
pub const MAX_NAME_CHARS: usize = 100;

/// The name of an enterprise, organisation, project or pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name of the enterprise and of the organisation that are there from the beginning.
    #[must_use]
    pub fn of_default() -> Self {
        Self("default".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let good = (1..=MAX_NAME_CHARS).contains(&text.len()) && text.chars().all(letters);
        if good && !text.starts_with(['.', '-']) {
            return Ok(Self(text));
        }
        Err(BadName {
            what: "name",
            found: text.chars().take(80).collect(),
            allowed: "1 to 100 letters, digits, `.`, `_` or `-`, not starting with `.` or `-`",
            nearest: None,
        })
    }
}

impl FromStr for Name {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::try_from(text.to_owned())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pipeline and all that it lies in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PipelinePath {
    pub enterprise: Name,
    pub org: Name,
    pub project: Name,
    pub pipeline: Name,
}

impl fmt::Display for PipelinePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.enterprise, self.org, self.project, self.pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_elsewhere_are_refused() {
        let long = "x".repeat(101);
        for bad in ["", ".", "..", "-rf", "a b", "a/b", "a%2f", "$(id)", "a;b", "a\n", "ä", "a'b", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        for good in ["default", "BackendAPI", "delivery-truck", "a.b_c-1", "7", &long[..100]] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        assert!(serde_json::from_str::<Name>("\"a b\"").is_err());
    }
}
