//! `.delivery/project.toml`: the commands of Chef's `[local_phases]`.
//!
//! Chef wrote them for `delivery local`; here they are what a phase does when config.json does not say it.
//! Unknown keys outside of `[local_phases]` are ignored, as Chef does. `remote_file` is refused: nothing is
//! fetched from elsewhere, and ignoring it would leave its phases without commands without a word.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Path};
use super::shape;
use crate::phase::Phase;

/// The largest project.toml, in bytes.
pub const MAX_LOCAL_PHASES_BYTES: usize = 256 * 1024;

/// Where a project keeps its local phases, relative to its directory; the first that exists is read.
pub const LOCAL_PHASES_CANDIDATES: [&str; 2] = [".shuntyard/project.toml", ".delivery/project.toml"];

/// A key of `[local_phases]` that is no phase: what `delivery local` runs to tidy up. Nothing here.
const CLEANUP: &str = "cleanup";

/// The command of each phase that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalPhases(BTreeMap<Phase, String>);

impl LocalPhases {
    /// The phase's command, a line for `/bin/sh`; `None` when the file does not say one.
    #[must_use]
    pub fn command(&self, phase: Phase) -> Option<&str> {
        self.0.get(&phase).map(String::as_str)
    }
}

/// Reads the text of a project.toml; an empty command, as Chef's generator writes it, is none.
///
/// # Errors
/// Every fault of the text, in its order; never an empty list.
pub fn parse_local_phases(text: &str) -> Result<LocalPhases, Vec<Fault>> {
    let mut faults = Faults::of(text);
    if text.len() > MAX_LOCAL_PHASES_BYTES {
        let message = format!("the file has {} bytes, more than 256 KiB", text.len());
        faults.add(&Path::Root, &(0..text.len()), message, &["at most 262144 bytes"]);
        return Err(faults.into_sorted());
    }
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let span = error.span().unwrap_or(text.len()..text.len());
        faults.add(&Path::Root, &span, error.message().trim(), &["TOML"]);
    }
    let phases = top_level(document.get_ref(), &mut faults);
    if faults.is_empty() { Ok(LocalPhases(phases)) } else { Err(faults.into_sorted()) }
}

fn top_level(document: &DeTable<'_>, faults: &mut Faults<'_>) -> BTreeMap<Phase, String> {
    let mut phases = BTreeMap::new();
    for (key, value) in document {
        let path = Path::Root.key(key.get_ref());
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("local_phases", DeValue::Table(table)) => phases = local_phases(table, &path, faults),
            ("local_phases", other) => {
                let message = format!("must be a table, not {}", kind(other));
                faults.add(&path, &value.span(), message, &["[local_phases]"]);
            }
            ("remote_file", _) => faults.add(
                &path,
                &key.span(),
                "commands are not fetched from elsewhere: write them into [local_phases]",
                &["[local_phases]"],
            ),
            _ => {}
        }
    }
    phases
}

fn local_phases(table: &DeTable<'_>, path: &Path<'_>, faults: &mut Faults<'_>) -> BTreeMap<Phase, String> {
    const ALLOWED: &[&str] = &["a command, as a string"];
    let mut phases = BTreeMap::new();
    for (key, value) in table {
        let path = path.key(key.get_ref());
        let phase = shape::phase(key.get_ref());
        if phase.is_none() && key.get_ref() != CLEANUP {
            let allowed = shape::phase_words(&[CLEANUP]);
            faults.unknown(&path, &key.span(), "unknown phase", key.get_ref(), &allowed);
        }
        match (value.get_ref(), phase) {
            (DeValue::String(command), _) if command.contains('\0') => {
                faults.add(&path, &value.span(), "must not contain the character NUL", ALLOWED);
            }
            (DeValue::String(command), Some(phase)) if !command.trim().is_empty() => {
                phases.insert(phase, command.clone().into_owned());
            }
            (DeValue::String(_), _) => {}
            (other, _) => {
                faults.add(&path, &value.span(), format!("must be a string, not {}", kind(other)), ALLOWED);
            }
        }
    }
    phases
}

/// The value's type, for people.
pub(crate) const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
