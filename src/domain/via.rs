//! By which way the dispatcher gets to a host's sshd.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tenancy::Name;

/// What carries the connections to a host. In JSON `"direct"`, `{"jump": "bastion-1"}`, `"dial_out"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// TCP connections of the dispatcher.
    #[default]
    Direct,
    /// The jump host of that name, which connects to the host for us.
    Jump(Name),
    /// A connection that the host itself opened to the dispatcher.
    DialOut,
}

impl Via {
    /// The jump host that it goes through.
    #[must_use]
    pub const fn jump(&self) -> Option<&Name> {
        match self {
            Self::Jump(name) => Some(name),
            Self::Direct | Self::DialOut => None,
        }
    }
}

impl From<Option<Name>> for Via {
    fn from(jump: Option<Name>) -> Self {
        jump.map_or(Self::Direct, Self::Jump)
    }
}

/// `directly`, `through jump host NAME`, `by its own connection to the dispatcher`.
impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("directly"),
            Self::Jump(name) => write!(f, "through jump host {name}"),
            Self::DialOut => f.write_str("by its own connection to the dispatcher"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_stored_as_a_word_or_with_its_jump_host() {
        let jump = Via::Jump("bastion-1".parse().unwrap());
        for (via, json) in
            [(Via::Direct, r#""direct""#), (jump, r#"{"jump":"bastion-1"}"#), (Via::DialOut, r#""dial_out""#)]
        {
            assert_eq!(serde_json::to_string(&via).unwrap(), json);
            assert_eq!(serde_json::from_str::<Via>(json).unwrap(), via);
        }
        assert!(serde_json::from_str::<Via>(r#"{"jump":"-o"}"#).is_err());
    }
}
