//! `phases.<name>.secrets`: which secrets the jobs of a phase are handed, and as what.

use super::fault::{Faults, Path};
use super::json::{Json, Node};
use super::settings::{SettingKey, Settings};
use super::shape;
use crate::secret::{Parts, SecretUse, USE_RULE, check_uses};

/// The keys of one secret's object.
const KEYS: &[&str] = &["secret", "file", "env"];

/// Reads the list.
pub(super) fn read(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Vec<SecretUse> {
    let Json::List(nodes) = &node.value else {
        shape::wrong_type(node, path, faults, &["a list of secrets"]);
        return Vec::new();
    };
    nodes.iter().enumerate().filter_map(|(index, node)| one(node, &path.index(index), faults)).collect()
}

fn one(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<SecretUse> {
    let read = match &node.value {
        Json::Text(name) => SecretUse::variable(name, None),
        Json::Object(_) => SecretUse::try_from(parts(node, path, faults)?),
        _ => {
            shape::wrong_type(node, path, faults, &[USE_RULE]);
            return None;
        }
    };
    read.map_err(|bad| faults.add(path, &node.span, &bad, &[bad.allowed])).ok()
}

/// The members of an object; `None` when one of them is a fault.
fn parts(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<Parts> {
    let (mut parts, mut good) = (Parts::default(), true);
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        let into = match member.key.as_str() {
            "secret" => &mut parts.secret,
            "file" => &mut parts.file,
            "env" => &mut parts.env,
            key => {
                faults.unknown(&path, &member.key_span, "unknown key of a secret", key, KEYS);
                good = false;
                continue;
            }
        };
        match &member.node.value {
            Json::Text(text) => *into = Some(text.clone()),
            _ => {
                shape::wrong_type(&member.node, &path, faults, &["a string"]);
                good = false;
            }
        }
    }
    good.then_some(parts)
}

/// Says what is handed over twice, once all of the phase is read.
pub(super) fn check(node: &Node, settings: &Settings, path: &Path<'_>, faults: &mut Faults<'_>) {
    let Json::Object(members) = &node.value else { return };
    let key = SettingKey::Secrets.as_str();
    let Some(member) = members.iter().find(|member| member.key == key) else { return };
    if let Err(bad) = check_uses(&settings.secrets, &settings.env) {
        faults.add(&path.key(key), &member.node.span, &bad, &[bad.allowed]);
    }
}
