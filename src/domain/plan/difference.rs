//! What a plan does otherwise than the run before it.

use serde::{Deserialize, Serialize};

use super::{PhasePlan, StagePlan};
use crate::filter::Filter;
use crate::phase::Phase;
use crate::tenancy::Name;

/// How one phase differs from the last run of the same stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PhaseDifference {
    pub project: Name,
    pub phase: Phase,
    /// What is otherwise: `added`, `removed`, or the settings that changed.
    pub changed: Vec<String>,
    /// Rows that the last run did not have, in the order of the plan.
    pub rows_added: Vec<Filter>,
    /// Rows that only the last run had.
    pub rows_removed: Vec<Filter>,
}

/// The phases that differ, those of `plan` first, in its order, then those that only `last` has.
#[must_use]
pub fn differences(last: &StagePlan, plan: &StagePlan) -> Vec<PhaseDifference> {
    let changed = plan.phases().filter_map(|(_, now)| difference(last.find(&now.project, now.phase), Some(now)));
    let gone = last.phases().filter(|(_, was)| plan.find(&was.project, was.phase).is_none());
    changed.chain(gone.filter_map(|(_, was)| difference(Some(was), None))).collect()
}

fn difference(was: Option<&PhasePlan>, now: Option<&PhasePlan>) -> Option<PhaseDifference> {
    let named = now.or(was)?;
    let rows = |plan: Option<&PhasePlan>| -> Vec<Filter> {
        plan.map(|plan| plan.rows.iter().map(|row| row.filter.clone()).collect()).unwrap_or_default()
    };
    let (before, after) = (rows(was), rows(now));
    let only = |some: &[Filter], others: &[Filter]| -> Vec<Filter> {
        let mut others: Vec<Filter> = others.iter().map(Filter::canonical).collect();
        let is_new = |filter: &&Filter| match others.iter().position(|other| *other == filter.canonical()) {
            Some(at) => {
                others.swap_remove(at);
                false
            }
            None => true,
        };
        some.iter().filter(is_new).cloned().collect()
    };
    let changed = match (was, now) {
        (Some(was), Some(now)) => settings(was, now),
        (None, _) => vec!["added".into()],
        (_, None) => vec!["removed".into()],
    };
    let found = PhaseDifference {
        project: named.project.clone(),
        phase: named.phase,
        changed,
        rows_added: only(&after, &before),
        rows_removed: only(&before, &after),
    };
    let differs = !found.changed.is_empty() || !found.rows_added.is_empty() || !found.rows_removed.is_empty();
    differs.then_some(found)
}

/// The settings that changed, by the words of the configuration.
fn settings(was: &PhasePlan, now: &PhasePlan) -> Vec<String> {
    let tolerated = |plan: &PhasePlan| {
        let may_fail = plan.rows.iter().filter(|row| row.continue_on_error);
        let mut rows: Vec<Filter> = may_fail.map(|row| row.filter.canonical()).collect();
        rows.sort();
        rows
    };
    let (old, new) = (&was.spec, &now.spec);
    [
        ("skip", was.skip != now.skip),
        ("run", old.script != new.script),
        ("env", old.env != new.env),
        ("timeout_s", old.run_limit_s != new.run_limit_s),
        ("queue_s", old.queue_limit_s != new.queue_limit_s),
        ("silence_s", old.silence_limit_s != new.silence_limit_s),
        ("stop_grace_s", old.stop_grace_s != new.stop_grace_s),
        ("output_cap_mib", old.output_cap_bytes != new.output_cap_bytes),
        ("fail_fast", was.fail_fast != now.fail_fast),
        ("max_parallel", was.max_parallel != now.max_parallel),
        ("continue_on_error", tolerated(was) != tolerated(now)),
        ("retry", was.retry_on_lost != now.retry_on_lost),
        ("artifacts", old.artifacts != new.artifacts),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(word, _)| word.to_owned())
    .collect()
}
