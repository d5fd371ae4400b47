//! Changes of a runner by hand: labels, capabilities, slots, scope, state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shuntyard_domain::label::{LabelEdit, MAX_LABELS, check_capability, check_label, two_values};
use shuntyard_domain::pool::instance::InstanceState;
use shuntyard_domain::runner::{BadName, MAX_SLOTS, Runner, RunnerState, Scope, StateNote, check_reason};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::PatchRunner;

use super::engine_error::bad;
use super::jump_hosts::{check_via, via_of};
use super::{DispatchError, Dispatcher};
use crate::store::{
    Connection, RunnerChanged, RunnerEvent, ValueChange, instance_find, org_since, runner_by_id, runner_event_insert,
    runner_update,
};

/// What may be changed by hand; absent values stay.
#[derive(Clone, Debug, Default)]
pub struct RunnerPatch {
    pub labels: Option<BTreeSet<String>>,
    pub edit_labels: LabelEdit,
    pub capabilities: Option<BTreeSet<String>>,
    pub edit_capabilities: LabelEdit,
    pub slots: Option<u32>,
    pub scope: Option<Scope>,
    /// The jump host through which it is reached; `""`: none.
    pub jump: Option<String>,
    pub state: Option<RunnerState>,
    pub reason: Option<String>,
}

impl From<PatchRunner> for RunnerPatch {
    fn from(body: PatchRunner) -> Self {
        Self {
            labels: body.labels,
            edit_labels: LabelEdit { add: body.add_labels, remove: body.remove_labels },
            capabilities: body.capabilities,
            edit_capabilities: LabelEdit { add: body.add_capabilities, remove: body.remove_capabilities },
            slots: body.slots,
            scope: body.scope,
            jump: body.jump,
            state: body.state,
            reason: body.reason,
        }
    }
}

impl RunnerPatch {
    /// Checks what can be told without looking at the runner.
    pub(super) fn check(&self) -> Result<(), DispatchError> {
        check_words("labels", &self.labels, &self.edit_labels, check_label)?;
        check_words("capabilities", &self.capabilities, &self.edit_capabilities, check_capability)?;
        if self.slots.is_some_and(|slots| !(1..=MAX_SLOTS).contains(&slots)) {
            return Err(bad("slots", "not a number of slots", &["1 to 1000"]));
        }
        if matches!(self.state, Some(RunnerState::Pending | RunnerState::Quarantined)) {
            return Err(bad("state", "only the dispatcher itself sets this state", &["enrolled, draining, disabled"]));
        }
        if let Some(reason) = &self.reason {
            check_reason(reason).map_err(|wrong| bad("reason", wrong.to_string(), &[wrong.allowed]))?;
            if self.state.is_none() {
                return Err(bad("reason", "a reason stands beside the state that it is for", &["state and reason"]));
            }
        }
        Ok(())
    }

    /// What the runner is after the change.
    fn apply(self, runner: &mut Runner, now_ms: i64, by: &str) -> Result<(), DispatchError> {
        change_words("labels", &mut runner.labels, self.labels, &self.edit_labels)?;
        change_words("capabilities", &mut runner.capabilities, self.capabilities, &self.edit_capabilities)?;
        runner.slots = self.slots.unwrap_or(runner.slots);
        runner.scope = self.scope.unwrap_or_else(|| runner.scope.clone());
        if let Some(jump) = &self.jump {
            if runner.endpoint.via == Via::DialOut {
                let message = "the runner's host dials out; end that first: shunt ctl dial-out NAME --stop";
                return Err(bad("jump", message, &[]));
            }
            runner.endpoint.via = via_of(jump)?;
        }
        let Some(state) = self.state else { return Ok(()) };
        if runner.state == RunnerState::Pending {
            return Err(bad("state", "the runner waits for its approval", &["`shunt ctl approve` lets it take jobs"]));
        }
        if runner.state == RunnerState::Quarantined {
            let way_out = "`shunt ctl accept-host-key` confirms the new key";
            return Err(bad("state", "the runner shows an unknown host key", &[way_out]));
        }
        let known = runner.state_note.as_ref().and_then(|note| note.reason.as_ref());
        if runner.state != state || (self.reason.is_some() && self.reason.as_ref() != known) {
            runner.state = state;
            runner.state_note = Some(StateNote { at_ms: now_ms, by: by.to_owned(), reason: self.reason });
        }
        Ok(())
    }
}

fn check_words(
    path: &'static str,
    whole: &Option<BTreeSet<String>>,
    edit: &LabelEdit,
    check: fn(&str) -> Result<(), BadName>,
) -> Result<(), DispatchError> {
    let refused = |path: &str| {
        let path = path.to_owned();
        move |wrong: BadName| bad(path, wrong.to_string(), &[wrong.allowed])
    };
    if whole.is_some() && !edit.is_empty() {
        let either = format!("`{path}`, or `add_{path}` and `remove_{path}`");
        return Err(bad(path, "all of them are given beside single ones", &[&either]));
    }
    for word in whole.iter().flatten() {
        check(word).map_err(refused(path))?;
    }
    for word in &edit.add {
        check(word).map_err(refused(&format!("add_{path}")))?;
    }
    // What is to go may have been stored by a version with other rules.
    for set in [whole.as_ref(), Some(&edit.add)].into_iter().flatten() {
        if let Some((key, two)) = two_values(set) {
            let message = format!("`{key}` has two values: {}", two.join(", "));
            return Err(bad(path, message, &["one value for a key"]));
        }
    }
    Ok(())
}

fn change_words(
    path: &str,
    words: &mut BTreeSet<String>,
    whole: Option<BTreeSet<String>>,
    edit: &LabelEdit,
) -> Result<(), DispatchError> {
    let before = words.len();
    if let Some(whole) = whole {
        *words = whole;
    }
    edit.apply(words);
    if words.len() > MAX_LABELS.max(before) {
        return Err(bad(path, format!("{} are too many", words.len()), &["up to 64"]));
    }
    Ok(())
}

/// What of a runner people change, as the API shows it.
fn shown(runner: &Runner) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("labels", json!(runner.labels)),
        ("capabilities", json!(runner.capabilities)),
        ("slots", json!(runner.slots)),
        ("scope", json!(runner.scope)),
        ("jump", json!(runner.endpoint.via.jump())),
        ("state", json!(runner.state)),
        ("reason", json!(runner.state_note.as_ref().and_then(|note| note.reason.as_ref()))),
    ])
}

pub(super) fn difference(before: &Runner, after: &Runner) -> BTreeMap<String, ValueChange> {
    let (before, mut after) = (shown(before), shown(after));
    let pairs = before.into_iter().filter_map(|(key, before)| Some((key, before, after.remove(key)?)));
    let changed = pairs.filter(|(_, before, after)| before != after);
    changed.map(|(key, before, after)| (key.to_owned(), ValueChange { before, after })).collect()
}

impl Dispatcher {
    /// Changes labels, capabilities, slots, scope or state, in one commit with the event that says who did it. Jobs that
    /// run already are not touched. A change to what is there already is none.
    ///
    /// # Errors
    /// `BadRequest` for values outside the rules and an organisation that does not exist, `NoRunner`; nothing is changed
    /// then.
    pub async fn patch_runner(&self, hostname: &str, patch: RunnerPatch, by: &str) -> Result<(), DispatchError> {
        patch.check()?;
        let id = self.known_by_name(hostname)?.runner.id;
        let (engine, by, now_ms) = (self.clone(), by.to_owned(), self.0.clock.now_ms());
        let (name, owner) = (hostname.to_owned(), self.clone());
        self.to_the_end(async move {
            let write = move |c: &mut Connection| -> Result<Option<(Runner, bool)>, DispatchError> {
                let before = runner_by_id(c, id)?.ok_or(DispatchError::NoRunner(name))?;
                let mut after = before.clone();
                if let Some(scope) = &patch.scope {
                    org_exists(c, scope)?;
                }
                if patch.state.is_some() {
                    stays(c, &before)?;
                }
                let reason = patch.reason.clone();
                patch.apply(&mut after, now_ms, &by)?;
                owner.may_change_to(&before, &after)?;
                let changes = difference(&before, &after);
                if changes.is_empty() {
                    return Ok(None);
                }
                let other_way = before.endpoint.via != after.endpoint.via;
                if other_way {
                    check_via(c, &after.endpoint.via)?;
                }
                let after = runner_update(c, &after)?;
                let event = RunnerEvent::Changed(RunnerChanged { by, reason, changes });
                runner_event_insert(c, &after, now_ms, &event)?;
                Ok(Some((after, other_way)))
            };
            if let Some((stored, other_way)) = engine.0.store.write(write).await? {
                engine.record_changed(stored);
                if other_way {
                    // Its keeper connects again by the new one, and its jobs are followed on.
                    engine.0.pool.forget(id);
                }
            }
            Ok(())
        })
        .await
    }

    /// Refuses a scope whose organisation does not exist.
    ///
    /// # Errors
    /// `BadRequest`
    pub async fn check_scope(&self, scope: Scope) -> Result<(), DispatchError> {
        self.0.store.read(move |c| org_exists(c, &scope)).await
    }
}

/// Refuses a machine that its pool is about to stop. Its name is the runner's.
fn stays(c: &mut Connection, runner: &Runner) -> Result<(), DispatchError> {
    let instance = if runner.pool.is_some() { instance_find(c, &runner.hostname)? } else { None };
    if instance.is_some_and(|row| row.instance.state == InstanceState::Draining) {
        return Err(bad("state", "its pool stops this machine when its jobs have ended", &["a machine that stays"]));
    }
    Ok(())
}

fn org_exists(c: &mut Connection, scope: &Scope) -> Result<(), DispatchError> {
    let Some(org) = scope.org() else { return Ok(()) };
    let allowed = &["enterprise", "an organisation of `GET orgs`; `POST orgs` makes one"];
    let name: Name = org.parse().map_err(|wrong: BadName| bad("scope", wrong.to_string(), &[wrong.allowed]))?;
    if org_since(c, &Name::of_default(), &name)?.is_none() {
        return Err(bad("scope", format!("there is no organisation `{org}`"), allowed));
    }
    Ok(())
}
