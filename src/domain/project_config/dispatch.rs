//! `job_dispatch`: Chef's version word and the filters of the phases.

use std::collections::BTreeMap;

use super::fault::{Faults, Path};
use super::json::{Json, Node};
use super::shape;
use crate::filter::{Filter, FilterKey, check_value};
use crate::phase::Phase;

/// Rows of one matrix: as many jobs as the API shows on one page.
pub const MAX_ROWS: u16 = 500;

/// The keys directly in `job_dispatch` that mean something.
pub(super) const READ: &[&str] = &["version", "filters"];

/// What `job_dispatch` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dispatch {
    /// For phases without an entry of their own.
    pub(super) default: Filter,
    pub(super) phases: BTreeMap<Phase, Rows>,
    /// Keys that mean nothing.
    pub(super) ignored: Vec<String>,
}

impl Dispatch {
    /// The filters of a phase: its own, else the default one.
    pub(super) fn rows(&self, phase: Phase) -> Rows {
        let default = || Rows { filters: vec![self.default.clone()], is_matrix: false };
        self.phases.get(&phase).cloned().unwrap_or_else(default)
    }
}

/// The filters of one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// Never empty.
    pub(super) filters: Vec<Filter>,
    /// Written as a list, even of one.
    pub(super) is_matrix: bool,
}

/// Reads the value of `job_dispatch`; unknown keys directly in it are ignored, as Chef does.
pub(super) fn read(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Dispatch {
    let mut dispatch = Dispatch::default();
    let members = shape::members(node, path, faults);
    for member in members {
        let path = path.key(&member.key);
        match member.key.as_str() {
            "version" => version(&member.node, &path, faults),
            "filters" => filters(&member.node, &path, faults, &mut dispatch),
            key => dispatch.ignored.push(key.into()),
        }
    }
    if matches!(node.value, Json::Object(_)) && !members.iter().any(|member| member.key == "version") {
        faults.missing(&path.key("version"), &node.span, &["v2"]);
    }
    dispatch
}

fn version(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) {
    match &node.value {
        Json::Text(version) if version == "v2" => {}
        Json::Text(version) if version == "v1" => faults.add(
            path,
            &node.span,
            "version v1 is the dispatch by Push Jobs, which is not supported: write \"v2\" and choose runners with \
             `filters` instead of `build_nodes`",
            &["v2"],
        ),
        Json::Text(version) => faults.unknown(path, &node.span, "unknown version of job_dispatch", version, &["v2"]),
        _ => shape::wrong_type(node, path, faults, &["\"v2\""]),
    }
}

fn filters(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>, dispatch: &mut Dispatch) {
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        if member.key == "default" {
            dispatch.default = default_filter(&member.node, &path, faults);
        } else if let Some(phase) = shape::phase(&member.key) {
            let rows = rows(&member.node, &path, faults);
            dispatch.phases.insert(phase, rows);
        } else {
            let allowed = shape::phase_words(&["default"]);
            faults.unknown(&path, &member.key_span, "unknown phase", &member.key, &allowed);
        }
    }
}

/// One filter; a list of one is taken as its element.
fn default_filter(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Filter {
    let rows = rows(node, path, faults);
    if rows.filters.len() > 1 {
        let message = format!("`default` takes one filter, not {}: a matrix belongs to a phase", rows.filters.len());
        faults.add(path, &node.span, message, &["a filter object"]);
    }
    rows.filters.into_iter().next().unwrap_or_default()
}

/// One filter, or a matrix of them.
fn rows(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Rows {
    match &node.value {
        Json::List(nodes) => {
            if nodes.is_empty() {
                faults.add(path, &node.span, "a matrix must have at least one row", &["a list of filter objects"]);
            }
            if nodes.len() > usize::from(MAX_ROWS) {
                let allowed = format!("1 to {MAX_ROWS} rows");
                faults.add(path, &node.span, format!("the matrix has {} rows", nodes.len()), &[&allowed]);
            }
            let row = |(index, node)| filter(node, &path.index(index), faults, &["a filter object"]);
            Rows { filters: nodes.iter().enumerate().map(row).collect(), is_matrix: true }
        }
        _ => {
            let allowed = ["a filter object", "a list of filter objects"];
            Rows { filters: vec![filter(node, path, faults, &allowed)], is_matrix: false }
        }
    }
}

/// One filter; `allowed` describes what else might stand in its place.
pub(super) fn filter(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>, allowed: &[&str]) -> Filter {
    let mut filter = Filter::default();
    let Json::Object(members) = &node.value else {
        shape::wrong_type(node, path, faults, allowed);
        return filter;
    };
    for member in members {
        let path = path.key(&member.key);
        match member.key.parse::<FilterKey>() {
            Ok(key) => *filter.values_mut(key) = values(key, &member.node, &path, faults),
            Err(unknown) => {
                faults.unknown(&path, &member.key_span, "unknown filter key", &member.key, &unknown.allowed);
            }
        }
    }
    filter
}

fn values(key: FilterKey, node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    if matches!(&node.value, Json::List(nodes) if nodes.is_empty()) {
        let message = "an empty list would match no runner: leave the key out to match any";
        faults.add(path, &node.span, message, &["a non-empty list of strings"]);
    }
    let values = shape::strings(node, path, faults, "string");
    for (index, value, node) in &values {
        let path = path.index(*index);
        if let Err(bad) = check_value(key, value) {
            let message = format!("no runner can have such a {}", bad.what);
            faults.refused(&path, &node.span, message, bad.allowed, bad.nearest.as_deref());
        }
    }
    values.into_iter().map(|(_, value, _)| value.into()).collect()
}
