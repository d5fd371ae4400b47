//! Changes that wait for a stage in which another change of their pipeline is.

use std::collections::BTreeSet;
use std::collections::HashMap;

use shuntyard_domain::change::Change;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::pipeline::is_shared;
use shuntyard_domain::tenancy::PipelinePath;

/// When people let a change into the stages that are shared, and which change it is: who comes first goes first.
type Turn = (i64, ChangeId);

/// Who waits for which stage of which pipeline. Only a memory of what was found: a restart finds it again.
#[derive(Default)]
pub(super) struct Waiting(HashMap<(PipelinePath, Stage), BTreeSet<Turn>>);

impl Waiting {
    pub(super) fn add(&mut self, change: &Change, stage: Stage) {
        self.0.entry((change.at.clone(), stage)).or_default().insert(turn(change));
    }

    /// The change waits for no stage but this one any more; returns those that it waited for.
    pub(super) fn leave(&mut self, change: &Change, but: Option<Stage>) -> Vec<Stage> {
        let mut left = Vec::new();
        for stage in Stage::ALL.iter().copied().filter(|stage| is_shared(*stage) && Some(*stage) != but) {
            let place = (change.at.clone(), stage);
            if let Some(waiting) = self.0.get_mut(&place)
                && waiting.remove(&turn(change))
            {
                left.push(stage);
                if waiting.is_empty() {
                    self.0.remove(&place);
                }
            }
        }
        left
    }

    /// The change waits for nothing.
    pub(super) fn forget(&mut self, change: ChangeId) {
        self.0.retain(|_, waiting| {
            waiting.retain(|(_, waits)| *waits != change);
            !waiting.is_empty()
        });
    }

    /// The change that may go into the stage before this one.
    pub(super) fn before(&self, change: &Change, stage: Stage) -> Option<ChangeId> {
        let (_, first) = self.0.get(&(change.at.clone(), stage))?.range(..turn(change)).next()?;
        Some(*first)
    }

    /// Who may go into the stage first.
    pub(super) fn first(&self, at: &PipelinePath, stage: Stage) -> Option<ChangeId> {
        let (_, first) = self.0.get(&(at.clone(), stage))?.first()?;
        Some(*first)
    }
}

/// By delivery, else by approval.
pub(super) fn turn(change: &Change) -> Turn {
    let signed = change.delivered.as_ref().or(change.approved.as_ref()).unwrap_or(&change.submitted);
    (signed.at_ms, change.id)
}

#[cfg(test)]
mod tests {
    use shuntyard_domain::change::{ChangeState, Signed, Source};
    use shuntyard_domain::tenancy::Name;
    use uuid::Uuid;

    use super::*;

    fn change(number: u128, approved_at_ms: i64, delivered_at_ms: Option<i64>) -> Change {
        let name = Name::of_default();
        let signed = |at_ms| Signed { at_ms, by: "bob".into() };
        Change {
            id: ChangeId(Uuid::from_u128(number)),
            at: PipelinePath { enterprise: name.clone(), org: name.clone(), project: name.clone(), pipeline: name },
            title: "a change".into(),
            description: String::new(),
            state: ChangeState::Merged,
            source: Source::None,
            submitted: signed(0),
            approved: Some(signed(approved_at_ms)),
            delivered: delivered_at_ms.map(signed),
            version: 0,
        }
    }

    #[test]
    fn who_was_let_in_first_goes_first_stage_by_stage() {
        let (late, early) = (change(1, 20, None), change(2, 10, None));
        let mut waiting = Waiting::default();
        waiting.add(&late, Stage::Acceptance);
        waiting.add(&early, Stage::Acceptance);
        assert_eq!(waiting.first(&late.at, Stage::Acceptance), Some(early.id));
        assert_eq!(waiting.before(&late, Stage::Acceptance), Some(early.id));
        assert_eq!(waiting.before(&early, Stage::Acceptance), None);
        assert_eq!(waiting.first(&late.at, Stage::Union), None);
        assert_eq!(waiting.leave(&early, Some(Stage::Acceptance)), []);
        assert_eq!(waiting.leave(&early, None), [Stage::Acceptance]);
        assert_eq!(waiting.first(&late.at, Stage::Acceptance), Some(late.id));
        // Behind acceptance the delivery counts, not the approval.
        let (approved_first, delivered_first) = (change(3, 1, Some(40)), change(4, 2, Some(30)));
        waiting.add(&approved_first, Stage::Union);
        waiting.add(&delivered_first, Stage::Union);
        assert_eq!(waiting.first(&late.at, Stage::Union), Some(delivered_first.id));
        waiting.forget(delivered_first.id);
        assert_eq!(waiting.first(&late.at, Stage::Union), Some(approved_first.id));
        waiting.forget(late.id);
        assert_eq!(waiting.first(&late.at, Stage::Acceptance), None);
    }
}
