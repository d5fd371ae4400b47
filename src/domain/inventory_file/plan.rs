//! What is to be done so that the inventory is as a file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{Entry, InventoryFile, InventoryKey};
use crate::runner::{RunnerState, Scope};
use crate::wire::api::RunnerBody;

/// What is done about one runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is not in the inventory: a bootstrap.
    Create,
    /// It is reached elsewhere now: a bootstrap refreshes it there, then the rest is changed.
    Move,
    Change,
    /// It is as the file says.
    None,
    /// It is not in the file.
    Delete,
}

/// One key; `before` is `None` for a runner that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    pub key: InventoryKey,
    pub before: Option<String>,
    pub after: String,
}

/// One runner of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    pub hostname: String,
    pub action: Action,
    /// In the order of `InventoryKey`; empty for `None` and `Delete`.
    pub changes: Vec<KeyChange>,
}

/// Every runner of the file, by name; then those that are to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<PlanStep>,
}

impl Plan {
    /// How many runners have this action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// Nothing is to be done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.count(Action::None) == self.steps.len()
    }
}

/// Compares a file with the inventory; with `prune` runners that are not in the file are deleted, else left alone.
#[must_use]
pub fn plan(file: &InventoryFile, inventory: &[RunnerBody], prune: bool) -> Plan {
    let known: BTreeMap<&str, &RunnerBody> =
        inventory.iter().map(|runner| (runner.hostname.as_str(), runner)).collect();
    let of_file = |(hostname, entry): (&String, &Entry)| step(hostname, entry, known.get(hostname.as_str()).copied());
    let mut steps: Vec<PlanStep> = file.runners.iter().map(of_file).collect();
    // The dispatcher's own machine is turned off in its configuration, not deleted.
    let stranger = |runner: &&RunnerBody| prune && !runner.local && !file.runners.contains_key(&runner.hostname);
    let strangers = known.values().copied().filter(stranger);
    let delete = |runner: &RunnerBody| PlanStep {
        hostname: runner.hostname.clone(),
        action: Action::Delete,
        changes: Vec::new(),
    };
    steps.extend(strangers.map(delete));
    Plan { steps }
}

/// What a file's entry means for the runner as it is now; `None`: there is none.
#[must_use]
pub fn step(hostname: &str, entry: &Entry, runner: Option<&RunnerBody>) -> PlanStep {
    let changes = changes(entry, runner);
    let moved = |change: &KeyChange| matches!(change.key, InventoryKey::Address | InventoryKey::Port);
    let action = match runner {
        None => Action::Create,
        Some(_) if changes.is_empty() => Action::None,
        Some(_) if changes.iter().any(moved) => Action::Move,
        Some(_) => Action::Change,
    };
    PlanStep { hostname: hostname.to_owned(), action, changes }
}

fn changes(entry: &Entry, runner: Option<&RunnerBody>) -> Vec<KeyChange> {
    let mut changes = Vec::new();
    let mut note = |key: InventoryKey, before: Option<String>, after: Option<String>| {
        if let Some(after) = after.filter(|after| before.as_ref() != Some(after)) {
            changes.push(KeyChange { key, before, after });
        }
    };
    let text = |text: &String| format!("{text:?}");
    note(InventoryKey::Address, runner.map(|r| text(&r.address)), entry.address.as_ref().map(text));
    note(InventoryKey::Port, runner.map(|r| r.port.to_string()), entry.port.as_ref().map(ToString::to_string));
    let jump = runner.map(|r| text(&r.jump.as_ref().map(ToString::to_string).unwrap_or_default()));
    // A new runner without one is reached directly anyway.
    let is_news = |jump: &&String| runner.is_some() || !jump.is_empty();
    note(InventoryKey::Jump, jump, entry.jump.as_ref().filter(is_news).map(text));
    if runner.is_none() {
        // Of the bootstrap alone: nothing to compare with later.
        note(InventoryKey::User, None, entry.user.as_ref().map(text));
        note(InventoryKey::NoSudo, None, entry.no_sudo.as_ref().map(ToString::to_string));
        note(InventoryKey::HostKey, None, entry.host_key.as_ref().map(text));
    }
    note(InventoryKey::Labels, runner.map(|r| list(&r.labels)), entry.labels.as_ref().map(list));
    note(InventoryKey::Capabilities, runner.map(|r| list(&r.capabilities)), entry.capabilities.as_ref().map(list));
    let quoted = |word: &dyn Display| format!("\"{word}\"");
    let scope = |scope: &Scope| quoted(scope);
    note(InventoryKey::Scope, runner.map(|r| scope(&r.scope)), entry.scope.as_ref().map(scope));
    note(InventoryKey::Slots, runner.map(|r| r.slots.to_string()), entry.slots.as_ref().map(ToString::to_string));
    let state = |state: &RunnerState| quoted(state);
    note(InventoryKey::State, runner.map(|r| state(&r.state)), entry.state.as_ref().map(state));
    let reason =
        runner.map(|r| r.state_note.as_ref().and_then(|note| note.reason.as_ref()).map_or("none".into(), text));
    note(InventoryKey::Reason, reason, entry.reason.as_ref().map(text));
    changes
}

/// As it stands in the file.
fn list(words: &BTreeSet<String>) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}
