//! One placement of a job as it is remembered: who its host was, and what proved that it is lost.

use serde::{Deserialize, Serialize};

use crate::ids::RunnerId;
use crate::outcome::LostEvidence;
use crate::wire::control::Hello;

/// What the wrapper says instead of an id that it cannot read.
const UNREADABLE: &str = "unknown";

/// Who a host says it is; `None`: it has not said it, or cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What is known about an attempt that the same base directory knows nothing of, after it was fenced there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    NeverStarted,
    Lost(LostEvidence),
}

/// Judges an attempt of which only a new fence, or a claim without files, is left.
///
/// A fence proves that there was no claim when it was taken. That is a proof of no start only in the boot in which
/// the start was intended: a claim is written before anything runs, but not synced, so that a host which lost power a
/// moment later has none although the job ran. `confirmed`: the host has said that it runs. `claimed`: the claim is
/// there, its files are not.
#[must_use]
pub const fn judge_absent(boot: Boot, confirmed: bool, claimed: bool) -> Absent {
    match (boot, confirmed || claimed) {
        (Boot::Same, false) => Absent::NeverStarted,
        (Boot::Another, _) => Absent::Lost(LostEvidence::Rebooted),
        // It may have run, and nothing tells why its files are gone.
        (Boot::Same | Boot::Unknown, _) => Absent::Lost(LostEvidence::SpoolGone),
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

    fn booted(id: Option<&str>) -> HostIdentity {
        HostIdentity { boot_id: id.map(Into::into), instance_id: None }
    }

    #[test]
    fn only_the_boot_of_the_intent_proves_by_a_fence_that_nothing_started() {
        use LostEvidence::{Rebooted, SpoolGone};
        for (then, now, confirmed, claimed, expected) in [
            (Some("a"), Some("a"), false, false, Absent::NeverStarted),
            (Some("a"), Some("a"), true, false, Absent::Lost(SpoolGone)),
            (Some("a"), Some("a"), false, true, Absent::Lost(SpoolGone)),
            (Some("a"), Some("b"), false, false, Absent::Lost(Rebooted)),
            (Some("a"), Some("b"), true, false, Absent::Lost(Rebooted)),
            (Some("a"), Some("b"), false, true, Absent::Lost(Rebooted)),
            (None, Some("b"), false, false, Absent::Lost(SpoolGone)),
            (Some("a"), None, false, false, Absent::Lost(SpoolGone)),
            (None, None, false, false, Absent::Lost(SpoolGone)),
        ] {
            let boot = boot_between(&booted(then), &booted(now));
            assert_eq!(judge_absent(boot, confirmed, claimed), expected, "{then:?} {now:?} {confirmed} {claimed}");
        }
    }

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
