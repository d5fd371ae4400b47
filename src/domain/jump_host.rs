//! Jump hosts: hosts that connect to others for the dispatcher, and the chains that they make.

use std::collections::BTreeMap;

use crate::ids::JumpHostId;
use crate::runner::{Endpoint, StateNote};
use crate::tenancy::Name;

/// The longest chain of jump hosts.
pub const MAX_HOPS: usize = 8;

/// What our key may do at a jump host, as options of its line in `authorized_keys`: forward connections, and nothing else. The
/// command is for those who try; forwarding starts none.
pub const KEY_OPTIONS: &str = r#"restrict,port-forwarding,command="echo this key only forwards connections""#;

/// The inventory record of a jump host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JumpHost {
    pub id: JumpHostId,
    /// Unique.
    pub name: Name,
    /// Its host keys are empty until somebody has confirmed one.
    pub endpoint: Endpoint,
    /// Public half of the key made for this jump host, as an OpenSSH line.
    pub openssh_public_key: String,
    /// Since when it shows a key that is not pinned.
    pub quarantine: Option<StateNote>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub version: i64,
}

impl JumpHost {
    /// The line for `authorized_keys` of its user.
    #[must_use]
    pub fn authorized_keys_line(&self) -> String {
        format!("{KEY_OPTIONS} {}", self.openssh_public_key.trim_end())
    }
}

/// Jump hosts that cannot lie before one another so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChain {
    #[error("there is no jump host `{0}`")]
    Unknown(Name),
    #[error("jump host `{0}` would lie before itself")]
    Circle(Name),
    #[error("more than {MAX_HOPS} jump hosts would lie one before another")]
    TooLong,
}

/// The chain that leads to the jump host `last`, which is its last element. `before` says which lies before which.
///
/// # Errors
/// `BadChain` when it does not begin anywhere.
pub fn chain<'n>(last: &'n Name, before: &BTreeMap<&'n Name, Option<&'n Name>>) -> Result<Vec<&'n Name>, BadChain> {
    let mut chain = Vec::new();
    let mut next = Some(last);
    while let Some(name) = next {
        if chain.contains(&name) {
            return Err(BadChain::Circle(name.clone()));
        }
        if chain.len() == MAX_HOPS {
            return Err(BadChain::TooLong);
        }
        chain.push(name);
        next = *before.get(name).ok_or_else(|| BadChain::Unknown(name.clone()))?;
    }
    chain.reverse();
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(last: &str, before: &[(&str, &str)]) -> Result<String, BadChain> {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let last = name(last);
        let pairs: Vec<_> =
            before.iter().map(|(one, other)| (name(one), (!other.is_empty()).then(|| name(other)))).collect();
        let before = pairs.iter().map(|(one, other)| (one, other.as_ref())).collect();
        chain(&last, &before).map(|chain| chain.into_iter().map(Name::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_chain_begins_with_the_jump_host_that_is_reached_directly() {
        assert_eq!(told("a", &[("a", "")]).unwrap(), "a");
        assert_eq!(told("a", &[("a", "b"), ("b", "c"), ("c", "")]).unwrap(), "c b a");
    }

    #[test]
    fn circles_gaps_and_long_chains_are_refused() {
        assert!(matches!(told("a", &[("a", "a")]), Err(BadChain::Circle(_))));
        assert!(matches!(told("a", &[("a", "b"), ("b", "a")]), Err(BadChain::Circle(_))));
        assert!(matches!(told("a", &[("a", "b")]), Err(BadChain::Unknown(name)) if name.as_str() == "b"));
        let names: Vec<String> = (0..=MAX_HOPS).map(|n| format!("h{n}")).collect();
        let mut pairs: Vec<(&str, &str)> = names.windows(2).map(|two| (two[0].as_str(), two[1].as_str())).collect();
        pairs.push((names[MAX_HOPS].as_str(), ""));
        assert_eq!(told("h0", &pairs), Err(BadChain::TooLong));
        assert!(told("h1", &pairs).is_ok());
    }
}
