//! Where a change stands, read from what the server says of it.

use std::collections::BTreeSet;

use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::pipeline::{Gate, next};
use shuntyard_domain::stage::{Standing, Status};
use shuntyard_domain::wire::change::{ChangeBody, StageBody};

/// The run that was made last.
#[must_use]
pub fn latest(change: &ChangeBody) -> Option<&StageBody> {
    change.stages.iter().max_by_key(|stage| stage.run)
}

/// Tells where the change stands, as the server does (`stage::standing`).
#[must_use]
pub fn standing(change: &ChangeBody) -> Standing {
    let is_closed = change.state == ChangeState::Closed;
    let Some(latest) = latest(change) else {
        return if is_closed { Standing::Closed } else { Standing::Moving { to: Stage::Verify } };
    };
    let stage = latest.stage;
    match (latest.finished_at.is_some(), next(stage)) {
        (false, _) => Standing::Running { stage },
        (true, _) if is_closed => Standing::Closed,
        (true, _) if latest.status == Status::Failed => Standing::Failed { stage },
        (true, None) => Standing::Arrived,
        (true, Some((_, Some(gate)))) if !has_passed(change, gate) => Standing::AtGate { stage, gate },
        (true, Some((to, _))) => Standing::Moving { to },
    }
}

fn has_passed(change: &ChangeBody, gate: Gate) -> bool {
    match gate {
        Gate::Approve => change.approved_at.is_some(),
        Gate::Deliver => change.delivered_at.is_some(),
    }
}

/// Tells whether nothing more happens by itself. `past` are runs that had ended before something was started: as long
/// as one of them is the latest, what was started has not begun.
#[must_use]
pub fn is_settled(change: &ChangeBody, past: &BTreeSet<StageRunId>) -> bool {
    let is_past = latest(change).is_some_and(|run| past.contains(&run.run));
    match standing(change) {
        Standing::Closed => true,
        Standing::AtGate { .. } | Standing::Failed { .. } | Standing::Arrived => !is_past,
        Standing::Moving { .. } | Standing::Running { .. } => false,
    }
}

/// The sentence for people.
#[must_use]
pub fn sentence(change: &ChangeBody) -> String {
    let run = latest(change);
    let is_cancelled = run.is_some_and(|run| run.cancelled_by.is_some());
    let has_failed = run.is_some_and(|run| run.status == Status::Failed);
    match standing(change) {
        Standing::Running { .. } if change.state == ChangeState::Closed => "closed; what runs is being stopped".into(),
        Standing::Running { stage } if is_cancelled => format!("{stage} is being cancelled"),
        Standing::Running { stage } if has_failed => format!("{stage} is failing"),
        Standing::Failed { stage } if is_cancelled => format!("{stage} was cancelled"),
        Standing::Moving { to } => format!("on its way into {to}"),
        Standing::Running { stage } => format!("{stage} is running"),
        Standing::Failed { stage } => format!("{stage} has failed"),
        Standing::AtGate { stage, gate: Gate::Approve } => format!("{stage} has passed: waits for approval"),
        Standing::AtGate { stage, gate: Gate::Deliver } => format!("{stage} has passed: waits for delivery"),
        Standing::Arrived => "delivered: it has passed every stage".into(),
        Standing::Closed => "closed".into(),
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::Value;

    use super::*;

    /// The change of a case under fixtures/api/changes.
    pub fn case(name: &str) -> ChangeBody {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/api/changes/{name}.json"));
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        serde_json::from_value(case["change"].clone()).unwrap()
    }

    #[test]
    fn where_a_change_stands_is_read_from_its_runs_and_signatures() {
        let (verify, gate) = (Stage::Verify, Gate::Approve);
        for (name, expected) in [
            ("verify-running", Standing::Running { stage: verify }),
            ("at-the-gate", Standing::AtGate { stage: verify, gate }),
            ("failed", Standing::Failed { stage: verify }),
            ("faulty", Standing::Failed { stage: verify }),
            ("delivered", Standing::Moving { to: Stage::Rehearsal }),
            ("closed", Standing::Closed),
        ] {
            assert_eq!(standing(&case(name)), expected, "{name}");
        }
        let mut new = case("closed");
        new.stages.clear();
        assert_eq!(standing(&new), Standing::Closed);
        new.state = ChangeState::Open;
        assert_eq!(standing(&new), Standing::Moving { to: verify });
    }

    #[test]
    fn what_is_being_stopped_is_not_said_to_run_or_to_have_ended() {
        let mut change = case("closed");
        let said = |change: &ChangeBody| sentence(change);
        assert_eq!(said(&change), "closed");
        change.stages[0].finished_at = None;
        assert_eq!(said(&change), "closed; what runs is being stopped");
        change.state = ChangeState::Open;
        assert_eq!(said(&change), "verify is being cancelled");
        change.stages[0].cancelled_by = None;
        assert_eq!(said(&change), "verify is failing");
        change.stages[0].finished_at = Some("then".into());
        assert_eq!(said(&change), "verify has failed");
        change.stages[0].cancelled_by = Some("ada".into());
        assert_eq!(said(&change), "verify was cancelled");
    }

    #[test]
    fn what_was_started_has_not_ended_as_long_as_an_earlier_run_is_the_latest() {
        let failed = case("failed");
        let past: BTreeSet<StageRunId> = failed.stages.iter().map(|run| run.run).collect();
        assert!(is_settled(&failed, &BTreeSet::new()) && !is_settled(&failed, &past));
        assert!(is_settled(&case("closed"), &past) && !is_settled(&case("verify-running"), &past));
    }
}
