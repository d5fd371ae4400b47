//! One placement of a job as it is remembered: who its host was, and what proved that it is lost.

use serde::{Deserialize, Serialize};

use crate::ids::RunnerId;
use crate::outcome::LostEvidence;
use crate::wire::control::Hello;

/// What the wrapper says instead of an id that it cannot read.
const UNREADABLE: &str = "unknown";

/// Who a host says it is; `None`: it has not said it, or cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HostIdentity {
    /// Another one after every boot.
    pub boot_id: Option<String>,
    /// Another one in another base directory.
    pub instance_id: Option<String>,
}

impl From<&Hello> for HostIdentity {
    fn from(hello: &Hello) -> Self {
        let said = |id: &str| (id != UNREADABLE).then(|| id.chars().take(200).collect());
        Self { boot_id: said(&hello.boot_id), instance_id: said(&hello.instance_id) }
    }
}

/// Whether a host has booted between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// What was done on its file systems between the two is seen.
    Same,
    /// What was done before the boot and not synced may be gone.
    Another,
    /// One of the two is not known.
    Unknown,
}

/// Compares the boot of two moments.
#[must_use]
pub fn boot_between(then: &HostIdentity, now: &HostIdentity) -> Boot {
    match (&then.boot_id, &now.boot_id) {
        (Some(then), Some(now)) if then == now => Boot::Same,
        (Some(_), Some(_)) => Boot::Another,
        _ => Boot::Unknown,
    }
}

/// How an attempt was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub evidence: LostEvidence,
    pub at_ms: i64,
    /// Who the host was then.
    pub now: HostIdentity,
}

/// One placement, from the intent to start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    pub attempt: u32,
    pub runner: RunnerId,
    /// The runner's name at the time.
    pub hostname: Option<String>,
    pub intended_at_ms: i64,
    /// Who the host was when the start was intended.
    pub host: HostIdentity,
    pub loss: Option<Loss>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_the_host_cannot_read_is_none() {
        let hello = Hello {
            wrapper_version: "1".into(),
            boot_id: UNREADABLE.into(),
            instance_id: "i".into(),
            clock_s: 1,
            free_bytes: 1,
            base_dir: "/b".into(),
            tools: Default::default(),
            means: Vec::new(),
        };
        assert_eq!(HostIdentity::from(&hello), HostIdentity { boot_id: None, instance_id: Some("i".into()) });
    }
}
