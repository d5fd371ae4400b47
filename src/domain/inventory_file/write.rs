//! The inventory as a file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::InventoryKey;
use crate::runner::RunnerState;
use crate::wire::api::{RunnerBody, default_ssh_port};

/// Writes runners as an inventory file that `plan` finds nothing to do about.
///
/// How to log in to a host of the system mode is not known any more: `user` is missing there. States that only the
/// dispatcher sets stand in comments.
#[must_use]
pub fn write(inventory: &[RunnerBody]) -> String {
    let mut text = String::from("# Runners of Shuntyard; `shunt ctl apply -f` makes the inventory like this.\n");
    // The dispatcher's own machine is turned on in its configuration; elsewhere it would be another one.
    for runner in inventory.iter().filter(|runner| !runner.local) {
        // Formatting into a string cannot fail.
        let _ = write_runner(&mut text, runner);
    }
    text
}

fn write_runner(text: &mut String, runner: &RunnerBody) -> std::fmt::Result {
    writeln!(text, "\n[runners.{}]", quoted(&runner.hostname))?;
    let mut line = |key: InventoryKey, value: String| writeln!(text, "{key} = {value}");
    if runner.address != runner.hostname {
        line(InventoryKey::Address, quoted(&runner.address))?;
    }
    if runner.port != default_ssh_port() {
        line(InventoryKey::Port, runner.port.to_string())?;
    }
    if let Some(jump) = &runner.jump {
        line(InventoryKey::Jump, quoted(jump.as_str()))?;
    }
    if !runner.system_mode {
        line(InventoryKey::User, quoted(&runner.user))?;
        line(InventoryKey::NoSudo, "true".into())?;
    }
    line(InventoryKey::Labels, list(&runner.labels))?;
    line(InventoryKey::Capabilities, list(&runner.capabilities))?;
    line(InventoryKey::Scope, quoted(&runner.scope.to_string()))?;
    line(InventoryKey::Slots, runner.slots.to_string())?;
    if matches!(runner.state, RunnerState::Pending | RunnerState::Quarantined) {
        return writeln!(text, "# state = {}", quoted(runner.state.as_str()));
    }
    line(InventoryKey::State, quoted(runner.state.as_str()))?;
    match runner.state_note.as_ref().and_then(|note| note.reason.as_ref()) {
        Some(reason) => line(InventoryKey::Reason, quoted(reason)),
        None => Ok(()),
    }
}

/// A basic string of TOML; escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(words: &BTreeSet<String>) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}
