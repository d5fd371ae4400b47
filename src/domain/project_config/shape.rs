//! Shapes that recur in a configuration: each returns the value, or records why it is not one.

use std::str::FromStr;

use super::fault::{Faults, Path};
use super::json::{Json, Member, Node};
use crate::phase::Phase;

/// The longest time limit: 30 days.
pub(super) const MAX_LIMIT_S: u32 = 30 * 86_400;

/// Says that a value has another type than `allowed` describes; phrases, as in "a list of strings".
pub(super) fn wrong_type(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>, allowed: &[&str]) {
    faults.add(path, &node.span, format!("must be {}, not {}", allowed.join(" or "), node.value.kind()), allowed);
}

/// The members of an object; none when it is something else.
pub(super) fn members<'n>(node: &'n Node, path: &Path<'_>, faults: &mut Faults<'_>) -> &'n [Member] {
    match &node.value {
        Json::Object(members) => members,
        _ => {
            wrong_type(node, path, faults, &["an object"]);
            &[]
        }
    }
}

/// A phase's own name.
pub(super) fn phase(word: &str) -> Option<Phase> {
    Phase::from_str(word).ok()
}

/// The ten phases, after `first`.
pub(super) fn phase_words(first: &[&'static str]) -> Vec<&'static str> {
    first.iter().copied().chain(Phase::ALL.iter().map(|phase| phase.as_str())).collect()
}

/// The strings of a list, which may be empty; `what` describes one of them.
pub(super) fn strings<'n>(
    node: &'n Node,
    path: &Path<'_>,
    faults: &mut Faults<'_>,
    what: &str,
) -> Vec<(usize, &'n str, &'n Node)> {
    let Json::List(nodes) = &node.value else {
        wrong_type(node, path, faults, &[&format!("a list of {what}s")]);
        return Vec::new();
    };
    let mut strings = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        match &node.value {
            Json::Text(text) => strings.push((index, text.as_str(), node)),
            _ => faults.add(
                &path.index(index),
                &node.span,
                format!("must be a string ({what}), not {}", node.value.kind()),
                &["a string"],
            ),
        }
    }
    strings
}

/// A string that is not empty and has no NUL, as a command line or a file name needs it.
pub(super) fn non_empty(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<String> {
    const ALLOWED: &[&str] = &["a non-empty string"];
    match &node.value {
        Json::Text(text) if text.trim().is_empty() => faults.add(path, &node.span, "must not be empty", ALLOWED),
        Json::Text(text) if text.contains('\0') => {
            faults.add(path, &node.span, "must not contain the character NUL", &["a non-empty string without NUL"]);
        }
        Json::Text(text) => return Some(text.clone()),
        _ => wrong_type(node, path, faults, ALLOWED),
    }
    None
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<bool> {
    match node.value {
        Json::Bool(value) => Some(value),
        _ => {
            wrong_type(node, path, faults, &["true", "false"]);
            None
        }
    }
}

/// Whole seconds from `min` to `max`, written without fraction and exponent.
pub(super) fn seconds(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>, min: u32, max: u32) -> Option<u32> {
    whole(node, path, faults, "seconds", min, max)
}

/// A whole number of `unit`, as `seconds`.
pub(super) fn whole(
    node: &Node,
    path: &Path<'_>,
    faults: &mut Faults<'_>,
    unit: &str,
    min: u32,
    max: u32,
) -> Option<u32> {
    let allowed = format!("whole {unit} from {min} to {max}");
    let Json::Number(digits) = &node.value else {
        wrong_type(node, path, faults, &[&allowed]);
        return None;
    };
    let number = digits.parse::<u32>().ok().filter(|number| (min..=max).contains(number));
    if number.is_none() {
        faults.add(path, &node.span, format!("must be {allowed}"), &[&allowed]);
    }
    number
}
