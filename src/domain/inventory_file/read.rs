//! Reads an inventory file; tells every fault at once.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, InventoryFile, InventoryKey};
use crate::label::{MAX_LABELS, check_capability, check_label, two_values};
use crate::project_config::fault::{Faults, Path};
use crate::project_config::{Fault, toml_kind};
use crate::runner::{BadName, MAX_SLOTS, RunnerState, Scope, check_hostname, check_reason, check_user};
use crate::tenancy::Name;

/// The largest file, in bytes.
pub const MAX_INVENTORY_BYTES: usize = 4 * 1024 * 1024;

/// The states that people set.
const STATES: [RunnerState; 3] = [RunnerState::Enrolled, RunnerState::Draining, RunnerState::Disabled];

/// Reads the text of an inventory file.
///
/// # Errors
/// Every fault of the text, in its order; never an empty list.
pub fn parse(text: &str) -> Result<InventoryFile, Vec<Fault>> {
    let mut faults = Faults::of(text);
    if text.len() > MAX_INVENTORY_BYTES {
        let message = format!("the file has {} bytes, more than 4 MiB", text.len());
        faults.add(&Path::Root, &(0..0), message, &["at most 4194304 bytes"]);
        return Err(faults.into_sorted());
    }
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let span = error.span().unwrap_or(text.len()..text.len());
        faults.add(&Path::Root, &span, error.message().trim(), &["TOML"]);
    }
    let mut file = InventoryFile::default();
    for (key, value) in document.get_ref() {
        let path = Path::Root.key(key.get_ref());
        if key.get_ref() != "runners" {
            faults.unknown(&path, &key.span(), "unknown key", key.get_ref(), &["runners"]);
        } else if let Some(runners) = table(value, &path, &mut faults) {
            file = read_runners(runners, &path, &mut faults);
        }
    }
    if faults.is_empty() { Ok(file) } else { Err(faults.into_sorted()) }
}

fn read_runners(runners: &DeTable<'_>, path: &Path<'_>, faults: &mut Faults<'_>) -> InventoryFile {
    let mut file = InventoryFile::default();
    for (hostname, value) in runners {
        let path = path.key(hostname.get_ref());
        check(check_hostname(hostname.get_ref()), &path, &hostname.span(), faults);
        if let Some(keys) = table(value, &path, faults) {
            file.runners.insert(hostname.get_ref().clone().into_owned(), entry(keys, &path, faults));
        }
    }
    file
}

fn entry(keys: &DeTable<'_>, path: &Path<'_>, faults: &mut Faults<'_>) -> Entry {
    let mut entry = Entry::default();
    for (key, value) in keys {
        let path = path.key(key.get_ref());
        match key.get_ref().parse::<InventoryKey>() {
            Ok(known) => set(&mut entry, known, value, &path, faults),
            Err(unknown) => {
                faults.unknown(&path, &key.span(), "unknown key of a runner", key.get_ref(), &unknown.allowed);
            }
        }
    }
    if let (Some(_), None, Some((key, _))) = (&entry.reason, entry.state, keys.get_key_value("reason")) {
        let path = path.key("reason");
        faults.add(&path, &key.span(), "a reason stands beside the state that it is for", &["state"]);
    }
    entry
}

fn set(entry: &mut Entry, key: InventoryKey, value: &Spanned<DeValue<'_>>, path: &Path<'_>, faults: &mut Faults<'_>) {
    match key {
        InventoryKey::Address => entry.address = checked(value, path, faults, check_hostname),
        InventoryKey::Port => entry.port = whole(value, path, faults, u32::from(u16::MAX)).map(|n| n as u16),
        InventoryKey::Jump => entry.jump = checked(value, path, faults, check_jump),
        InventoryKey::User => entry.user = checked(value, path, faults, check_user),
        InventoryKey::NoSudo => match value.get_ref() {
            DeValue::Boolean(given) => entry.no_sudo = Some(*given),
            other => wrong_type(other, value.span(), path, faults, "true or false"),
        },
        InventoryKey::IdentityFile => entry.identity_file = checked(value, path, faults, check_file),
        InventoryKey::HostKey => entry.host_key = checked(value, path, faults, check_fingerprint),
        InventoryKey::Labels => entry.labels = words(value, path, faults, check_label),
        InventoryKey::Capabilities => entry.capabilities = words(value, path, faults, check_capability),
        InventoryKey::Scope => {
            let text = checked(value, path, faults, |text| text.parse::<Scope>().map(drop));
            entry.scope = text.and_then(|text| text.parse().ok());
        }
        InventoryKey::Slots => entry.slots = whole(value, path, faults, MAX_SLOTS),
        InventoryKey::State => entry.state = state(value, path, faults),
        InventoryKey::Reason => entry.reason = checked(value, path, faults, check_reason),
    }
}

fn state(value: &Spanned<DeValue<'_>>, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<RunnerState> {
    let text = string(value, path, faults)?;
    let found = STATES.into_iter().find(|state| state.as_str() == text);
    if found.is_none() {
        faults.unknown(path, &value.span(), "not a state that people set", text, &STATES.map(RunnerState::as_str));
    }
    found
}

/// The words of a list, each of which `check` accepts, with one value for a key.
fn words(
    value: &Spanned<DeValue<'_>>,
    path: &Path<'_>,
    faults: &mut Faults<'_>,
    check_word: fn(&str) -> Result<(), BadName>,
) -> Option<BTreeSet<String>> {
    let DeValue::Array(list) = value.get_ref() else {
        wrong_type(value.get_ref(), value.span(), path, faults, "a list of strings");
        return None;
    };
    let mut words = BTreeSet::new();
    for (index, value) in list.iter().enumerate() {
        words.extend(checked(value, &path.index(index), faults, check_word));
    }
    if let Some((key, two)) = two_values(&words) {
        let message = format!("`{key}` has two values: {}", two.join(", "));
        faults.add(path, &value.span(), message, &["one value for a key"]);
    }
    if list.len() > MAX_LABELS {
        faults.add(path, &value.span(), format!("{} are too many", list.len()), &["up to 64"]);
    }
    Some(words)
}

fn checked(
    value: &Spanned<DeValue<'_>>,
    path: &Path<'_>,
    faults: &mut Faults<'_>,
    check_text: impl Fn(&str) -> Result<(), BadName>,
) -> Option<String> {
    let text = string(value, path, faults)?;
    check(check_text(text), path, &value.span(), faults).then(|| text.to_owned())
}

fn check(checked: Result<(), BadName>, path: &Path<'_>, span: &Range<usize>, faults: &mut Faults<'_>) -> bool {
    let Err(bad) = checked else { return true };
    faults.refused(path, span, format!("not a {}", bad.what), bad.allowed, bad.nearest.as_deref());
    false
}

/// The name of a jump host, or nothing.
fn check_jump(text: &str) -> Result<(), BadName> {
    if text.is_empty() { Ok(()) } else { text.parse::<Name>().map(drop) }
}

fn check_file(text: &str) -> Result<(), BadName> {
    let good = !text.trim().is_empty() && !text.chars().any(char::is_control);
    crate::runner::check_name(good, "file name", text, "a path without control characters")
}

/// `SHA256:` and 43 characters of unpadded base64, as `ssh-keygen -l` prints it.
fn check_fingerprint(text: &str) -> Result<(), BadName> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let good = text.strip_prefix("SHA256:").is_some_and(|hash| hash.len() == 43 && hash.chars().all(letters));
    crate::runner::check_name(good, "fingerprint", text, "SHA256: and 43 base64 characters, as ssh-keygen -l prints it")
}

/// A whole number from 1 to `max`.
fn whole(value: &Spanned<DeValue<'_>>, path: &Path<'_>, faults: &mut Faults<'_>, max: u32) -> Option<u32> {
    let allowed = format!("a whole number from 1 to {max}");
    let DeValue::Integer(number) = value.get_ref() else {
        wrong_type(value.get_ref(), value.span(), path, faults, &allowed);
        return None;
    };
    let read = u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| (1..=max).contains(n));
    if read.is_none() {
        faults.add(path, &value.span(), format!("must be {allowed}"), &[&allowed]);
    }
    read
}

fn string<'v>(value: &'v Spanned<DeValue<'_>>, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<&'v str> {
    let DeValue::String(text) = value.get_ref() else {
        wrong_type(value.get_ref(), value.span(), path, faults, "a string");
        return None;
    };
    Some(text)
}

fn table<'v, 't>(value: &'v Spanned<DeValue<'t>>, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<&'v DeTable<'t>> {
    let DeValue::Table(table) = value.get_ref() else {
        wrong_type(value.get_ref(), value.span(), path, faults, "a table");
        return None;
    };
    Some(table)
}

fn wrong_type(found: &DeValue<'_>, span: Range<usize>, path: &Path<'_>, faults: &mut Faults<'_>, wanted: &str) {
    let kind = toml_kind(found);
    faults.add(path, &span, format!("must be {wanted}, not {kind}"), &[wanted]);
}
