//! Labels and capabilities: what people say about a runner, and what a filter can ask for.
//!
//! Each is a word, or `key=value` of two words. A filter compares the whole text: `region` asks for the label `region`
//! and is not satisfied by `region=eu`. A runner has one value for a key.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::runner::BadName;

/// The longest word, in bytes.
pub const MAX_WORD_BYTES: usize = 63;

/// Labels, and capabilities, that one runner may have.
pub const MAX_LABELS: usize = 64;

/// What no word may begin with: kept for what a host says about itself.
pub const RESERVED: [&str; 2] = ["fact.", "shunt."];

const ALLOWED: &str = "word or key=value, each a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit, up to 63";

const NOT_RESERVED: &str = "a word that does not begin with `fact.` or `shunt.`: these are kept for facts of the host";

/// Accepts labels: `^[a-z0-9][a-z0-9._-]*$`, optionally `key=value` of two such words, up to 63 each.
///
/// # Errors
/// `BadName` for anything else, and for a word with a reserved beginning.
pub fn check_label(text: &str) -> Result<(), BadName> {
    check("label", text)
}

/// As `check_label`, for a capability.
///
/// # Errors
/// As `check_label`.
pub fn check_capability(text: &str) -> Result<(), BadName> {
    check("capability", text)
}

fn check(what: &'static str, text: &str) -> Result<(), BadName> {
    let refused = |allowed| BadName { what, found: text.chars().take(80).collect(), allowed, nearest: nearest(text) };
    if !is_label(text) {
        return Err(refused(ALLOWED));
    }
    if RESERVED.iter().any(|prefix| text.starts_with(prefix)) {
        return Err(refused(NOT_RESERVED));
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    match text.split_once('=') {
        Some((key, value)) => is_word(key) && is_word(value),
        None => is_word(text),
    }
}

fn is_word(word: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=MAX_WORD_BYTES).contains(&word.len())
        && word.starts_with(letter)
        && word.chars().all(|c| letter(c) || matches!(c, '.' | '_' | '-'))
}

/// The label that was probably meant: lower case, `-` for what may not stand there, without a reserved beginning.
fn nearest(text: &str) -> Option<String> {
    let bare = RESERVED.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let word = |word: &str| -> String {
        let letters = word.trim().chars().flat_map(char::to_lowercase);
        let letters: String =
            letters.map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
        letters.trim_matches(['-', '.', '_']).to_owned()
    };
    let meant = match bare.split_once('=') {
        Some((_, value)) if value.contains('=') => return None,
        Some((key, value)) => format!("{}={}", word(key), word(value)),
        None => word(bare),
    };
    // A word of other signs only, such as `$(id)`, was not meant as a label.
    let kept = meant.chars().filter(char::is_ascii_alphanumeric).count();
    let given = bare.chars().filter(|c| !c.is_whitespace() && !matches!(c, '=' | '.' | '_' | '-')).count();
    (is_label(&meant) && meant != text && kept == given).then_some(meant)
}

/// The first key of a set that has two values, with both labels.
#[must_use]
pub fn two_values(labels: &BTreeSet<String>) -> Option<(&str, [&str; 2])> {
    let keyed: Vec<(&str, &str)> =
        labels.iter().filter_map(|label| Some((label.split_once('=')?.0, label.as_str()))).collect();
    // Labels with one key stand side by side, but for a key that another one begins with.
    keyed.iter().enumerate().find_map(|(at, (key, first))| {
        let (_, second) = keyed[at + 1..].iter().find(|(other, _)| other == key)?;
        Some((*key, [*first, *second]))
    })
}

/// What is to be added and removed; everything else stays, whoever changes it meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEdit {
    /// A `key=value` takes the place of the key's value.
    pub add: BTreeSet<String>,
    /// A bare word removes the label and the key of that name, whatever its value.
    pub remove: BTreeSet<String>,
}

impl LabelEdit {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes the labels: removes first, then adds.
    pub fn apply(&self, labels: &mut BTreeSet<String>) {
        let key = |label: &str| label.split_once('=').map(|(key, _)| key.to_owned());
        labels
            .retain(|label| !self.remove.contains(label) && !key(label).is_some_and(|key| self.remove.contains(&key)));
        for added in &self.add {
            if let Some(own) = key(added) {
                labels.retain(|label| key(label).as_ref() != Some(&own));
            }
            labels.insert(added.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn labels_are_words_or_pairs_of_words() {
        let long = "a".repeat(63);
        for good in ["gpu", "region=eu", "cuda-12.4", "0", &long, &format!("{long}={long}")] {
            assert_eq!(check_label(good), Ok(()), "{good}");
        }
        let longer = "a".repeat(64);
        for bad in ["", "a b", "a;b", "$(id)", "a\nb", ".a", "ä", "a=b=c", "=b", "a=", "-gpu", "GPU", &longer] {
            assert!(check_label(bad).is_err() && check_capability(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reserved_beginning_is_refused_by_name() {
        for bad in ["fact.os=linux", "shunt.local"] {
            let refused = check_label(bad).unwrap_err();
            assert!(refused.to_string().contains("`fact.` or `shunt.`"), "{refused}");
        }
        assert_eq!(check_label("facts"), Ok(()));
        assert_eq!(check_label("os=fact.x"), Ok(()));
    }

    #[test]
    fn a_refusal_says_which_label_was_probably_meant() {
        for (found, meant) in [
            ("GPU", Some("gpu")),
            ("Region=EU", Some("region=eu")),
            ("big disk", Some("big-disk")),
            (" gpu ", Some("gpu")),
            ("fact.os=linux", Some("os=linux")),
            ("-gpu", Some("gpu")),
            ("$(id)", None),
            ("a=b=c", None),
            ("", None),
        ] {
            assert_eq!(check_label(found).unwrap_err().nearest.as_deref(), meant, "{found:?}");
        }
    }

    #[test]
    fn a_key_has_one_value() {
        assert_eq!(two_values(&set(&["region=eu", "region", "zone=1"])), None);
        let twice = set(&["a-b=1", "a=1", "a.b=1", "a=2"]);
        assert_eq!(two_values(&twice), Some(("a", ["a=1", "a=2"])));
    }

    #[test]
    fn an_edit_touches_what_it_names_only() {
        for (before, add, remove, after) in [
            (&["old", "x"][..], &["gpu"][..], &["old"][..], &["gpu", "x"][..]),
            (&["region=us", "x"], &["region=eu"], &[], &["region=eu", "x"]),
            (&["region=us", "region"], &[], &["region"], &[]),
            (&["region=us"], &[], &["region=eu"], &["region=us"]),
            (&["region"], &["region=eu"], &[], &["region", "region=eu"]),
            (&[], &[], &["gone"], &[]),
        ] {
            let mut labels = set(before);
            LabelEdit { add: set(add), remove: set(remove) }.apply(&mut labels);
            assert_eq!(labels, set(after), "{before:?} +{add:?} -{remove:?}");
        }
    }
}
