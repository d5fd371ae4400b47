//! The whole document: its top-level keys, Chef's and ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::dependency::{Dependency, SPELLINGS};
use super::dispatch::{self, Dispatch};
use super::fault::{Fault, Faults, Path, nearest};
use super::json::Node;
use super::reader;
use super::settings::{self, Settings};
use super::shape::{self, MAX_LIMIT_S};
use crate::phase::Phase;

/// The largest config.json, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// The top-level keys that mean something here.
const READ: &[&str] = &["job_dispatch", "skip_phases", "phase_timeouts", "dependencies", "phases"];

/// Top-level keys of Chef's that are right and do nothing here.
const CHEFS: &[&str] = &["version", "build_cookbook", "build_nodes", "build_attributes", "delivery-truck"];

/// What a correct document says, phase by phase not yet resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Document {
    pub(super) dispatch: Dispatch,
    pub(super) skip: BTreeSet<Phase>,
    pub(super) timeouts: Timeouts,
    pub(super) settings: BTreeMap<Phase, Settings>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) ignored: Map<String, Value>,
}

/// `phase_timeouts`, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub(super) default_s: Option<u32>,
    pub(super) phases: BTreeMap<Phase, u32>,
}

/// Reads a document.
///
/// # Errors
/// Every fault, in the order of the text.
pub(super) fn read(text: &str) -> Result<Document, Vec<Fault>> {
    let mut faults = Faults::of(text);
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than 256 KiB", text.len());
        faults.add(&Path::Root, &(0..text.len()), message, &["at most 262144 bytes"]);
        return Err(faults.into_sorted());
    }
    let document = reader::read(text, &mut faults).map(|node| top_level(&node, &mut faults)).unwrap_or_default();
    if faults.is_empty() { Ok(document) } else { Err(faults.into_sorted()) }
}

impl Document {
    /// The ignored keys that are nearly one that is read; each path with that one.
    pub(super) fn misspelt(&self) -> Vec<(String, &'static str)> {
        let here = self.ignored.keys().filter(|key| !CHEFS.contains(&key.as_str()));
        let here = here.filter_map(|key| Some((Path::Root.key(key).to_string(), nearest(key, READ)?)));
        let dispatch_path = Path::Root.key("job_dispatch");
        let in_dispatch = self.dispatch.ignored.iter();
        let in_dispatch =
            in_dispatch.filter_map(|key| Some((dispatch_path.key(key).to_string(), nearest(key, dispatch::READ)?)));
        here.chain(in_dispatch).collect()
    }
}

fn top_level(node: &Node, faults: &mut Faults<'_>) -> Document {
    let mut document = Document::default();
    let mut faults_of_dispatch = 0;
    for member in shape::members(node, &Path::Root, faults) {
        let (path, node) = (Path::Root.key(&member.key), &member.node);
        match member.key.as_str() {
            "job_dispatch" => {
                let before = faults.len();
                document.dispatch = dispatch::read(node, &path, faults);
                faults_of_dispatch += faults.len() - before;
            }
            "skip_phases" => document.skip = skip_phases(node, &path, faults),
            "phase_timeouts" => document.timeouts = phase_timeouts(node, &path, faults),
            "dependencies" => document.dependencies = dependencies(node, &path, faults),
            "phases" => document.settings = settings::read(node, &path, faults),
            key => {
                document.ignored.insert(key.into(), node.value.plain());
            }
        }
    }
    // Rows are named by their filters: those of a faulty `job_dispatch` are not known.
    if faults_of_dispatch == 0 {
        let path = Path::Root.key("phases");
        for (phase, settings) in &document.settings {
            settings::check_tolerated(*phase, settings, &document.dispatch.rows(*phase).filters, &path, faults);
        }
    }
    document
}

fn skip_phases(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> BTreeSet<Phase> {
    let mut skip = BTreeSet::new();
    for (index, word, node) in shape::strings(node, path, faults, "phase name") {
        match shape::phase(word) {
            Some(phase) => {
                skip.insert(phase);
            }
            None => {
                faults.unknown(&path.index(index), &node.span, "unknown phase", word, &shape::phase_words(&[]));
            }
        }
    }
    skip
}

fn phase_timeouts(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        let (is_default, phase) = (member.key == "default", shape::phase(&member.key));
        if !is_default && phase.is_none() {
            let allowed = shape::phase_words(&["default"]);
            faults.unknown(&path, &member.key_span, "unknown phase", &member.key, &allowed);
        }
        match (shape::seconds(&member.node, &path, faults, 1, MAX_LIMIT_S), phase) {
            (Some(limit_s), Some(phase)) => {
                timeouts.phases.insert(phase, limit_s);
            }
            (Some(limit_s), None) if is_default => timeouts.default_s = Some(limit_s),
            _ => {}
        }
    }
    timeouts
}

fn dependencies(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Vec<Dependency> {
    let mut dependencies: Vec<Dependency> = Vec::new();
    for (index, _, node) in shape::strings(node, path, faults, "project name") {
        let path = path.index(index);
        let Some(text) = shape::non_empty(node, &path, faults) else { continue };
        match text.parse::<Dependency>() {
            Ok(dependency) if dependencies.contains(&dependency) => {
                faults.add(&path, &node.span, "this project is named twice", &["each project once"]);
            }
            Ok(dependency) => dependencies.push(dependency),
            Err(bad) => {
                let message = format!("no project can be called so: a name has {}", bad.allowed);
                faults.add(&path, &node.span, message, SPELLINGS);
            }
        }
    }
    dependencies
}
