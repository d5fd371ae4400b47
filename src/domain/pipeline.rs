//! The pipeline: which stages a change passes, which phases each has, and where people decide.
//!
//! ```text
//! verify [unit lint syntax] → approve → build [unit lint syntax] → [quality security] → publish
//!   → acceptance → deliver → union → rehearsal → delivered, each provision → deploy → smoke → functional
//! ```
//!
//! Phases in brackets are a *group*: they run in parallel, and the next group starts when all of them have
//! ended and none has failed. From one stage to the next a change is promoted by itself, unless a gate is there.

use crate::closed::closed_list;
use crate::phase::{Phase, Stage};

closed_list!(
    /// Where a person decides whether a change goes on.
    Gate {
        /// After verify: the change is merged. Chef's `merge`.
        Approve = "approve",
        /// After acceptance: the change is delivered. Chef's `accept`.
        Deliver = "deliver",
    }
);

const TESTS: &[Phase] = &[Phase::Unit, Phase::Lint, Phase::Syntax];
const DEPLOYMENT: &[&[Phase]] = &[&[Phase::Provision], &[Phase::Deploy], &[Phase::Smoke], &[Phase::Functional]];

/// The groups of a stage, in order; no phase is in two of them.
#[must_use]
pub const fn groups(stage: Stage) -> &'static [&'static [Phase]] {
    match stage {
        Stage::Verify => &[TESTS],
        Stage::Build => &[TESTS, &[Phase::Quality, Phase::Security], &[Phase::Publish]],
        Stage::Acceptance | Stage::Union | Stage::Rehearsal | Stage::Delivered => DEPLOYMENT,
    }
}

/// The stage after this one, and the gate between them.
#[must_use]
pub const fn next(stage: Stage) -> Option<(Stage, Option<Gate>)> {
    match stage {
        Stage::Verify => Some((Stage::Build, Some(Gate::Approve))),
        Stage::Build => Some((Stage::Acceptance, None)),
        Stage::Acceptance => Some((Stage::Union, Some(Gate::Deliver))),
        Stage::Union => Some((Stage::Rehearsal, None)),
        Stage::Rehearsal => Some((Stage::Delivered, None)),
        Stage::Delivered => None,
    }
}

/// Tells whether the stage deploys into an environment that the changes of a pipeline share.
///
/// Two changes at a time would deploy over each other, so the others wait until its run has ended.
#[must_use]
pub const fn is_shared(stage: Stage) -> bool {
    match stage {
        Stage::Verify | Stage::Build => false,
        Stage::Acceptance | Stage::Union | Stage::Rehearsal | Stage::Delivered => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_change_passes_every_stage_once_and_two_gates() {
        let mut way = vec![Stage::Verify];
        let mut gates = Vec::new();
        while let Some((stage, gate)) = way.last().and_then(|stage| next(*stage)) {
            gates.extend(gate.map(|gate| (gate, stage)));
            way.push(stage);
        }
        assert_eq!(way, Stage::ALL);
        assert_eq!(gates, [(Gate::Approve, Stage::Build), (Gate::Deliver, Stage::Union)]);
    }

    #[test]
    fn no_phase_is_twice_in_a_stage_and_each_is_in_some() {
        let phases = |stage: &Stage| groups(*stage).iter().copied().flatten().copied();
        let all: BTreeSet<Phase> = Stage::ALL.iter().flat_map(phases).collect();
        assert_eq!(all.len(), Phase::ALL.len());
        for stage in Stage::ALL {
            let once: BTreeSet<Phase> = phases(stage).collect();
            assert_eq!(once.len(), phases(stage).count(), "{stage}");
        }
    }
}
