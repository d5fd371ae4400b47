//! `phases.<name>`: what a phase does.

use std::collections::BTreeMap;
use std::ops::Range;

use super::dispatch;
use super::fault::{Faults, Path};
use super::json::{Json, Node};
use super::secrets;
use super::shape::{self, MAX_LIMIT_S};
use crate::artifacts::{MAX_PATTERNS, Pattern};
use crate::closed::closed_list;
use crate::filter::Filter;
use crate::job::{Concurrency, GROUP_LIMITS, check_group};
use crate::phase::Phase;
use crate::secret::SecretUse;
use crate::wire::frame::{BadFrame, check_variable, is_ours};

/// One TiB.
const MAX_OUTPUT_CAP_MIB: u32 = 1 << 20;
/// The longest time between TERM and KILL: one hour.
const MAX_STOP_GRACE_S: u32 = 3600;

/// The most jobs of one phase at a time: as many as a matrix has rows.
const MAX_PARALLEL: u32 = 500;

/// Rows that one fault quotes.
const MAX_ROWS_QUOTED: usize = 20;

closed_list!(
    /// The keys of `phases.<name>`.
    SettingKey {
        Run = "run", Env = "env", TimeoutS = "timeout_s", QueueS = "queue_s", SilenceS = "silence_s", StopGraceS = "stop_grace_s",
        OutputCapMib = "output_cap_mib", StopAfterDisconnectS = "stop_after_disconnect_s",
        Artifacts = "artifacts", FailFast = "fail_fast", MaxParallel = "max_parallel",
        ContinueOnError = "continue_on_error", Retry = "retry",
        Concurrency = "concurrency", Secrets = "secrets",
    }
);

/// What `phases.<name>` says; `None` and empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) run: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) timeout_s: Option<u32>,
    pub(super) queue_s: Option<u32>,
    pub(super) silence_s: Option<u32>,
    pub(super) stop_grace_s: Option<u32>,
    pub(super) output_cap_mib: Option<u32>,
    pub(super) stop_after_disconnect_s: Option<u32>,
    pub(super) artifacts: Vec<String>,
    pub(super) fail_fast: bool,
    pub(super) max_parallel: Option<u32>,
    pub(super) continue_on_error: Tolerated,
    pub(super) retry_on_lost: bool,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) secrets: Vec<SecretUse>,
}

/// Which rows may fail without failing their phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Tolerated {
    #[default]
    None,
    All,
    /// Those with one of these filters; with the piece of text that names each.
    Rows(Vec<(Filter, Range<usize>)>),
}

impl Tolerated {
    /// Tells whether the row with this filter may fail; the order of values in a list means nothing.
    pub(super) fn holds(&self, row: &Filter) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Rows(named) => named.iter().any(|(filter, _)| filter.canonical() == row.canonical()),
        }
    }
}

/// Reads the value of `phases`.
pub(super) fn read(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> BTreeMap<Phase, Settings> {
    let mut phases = BTreeMap::new();
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        match shape::phase(&member.key) {
            Some(phase) => {
                phases.insert(phase, settings(&member.node, &path, faults));
            }
            None => {
                faults.unknown(&path, &member.key_span, "unknown phase", &member.key, &shape::phase_words(&[]));
            }
        }
    }
    phases
}

fn settings(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut settings = Settings::default();
    for member in shape::members(node, path, faults) {
        let (path, node) = (path.key(&member.key), &member.node);
        match member.key.parse::<SettingKey>() {
            Ok(SettingKey::Run) => settings.run = shape::non_empty(node, &path, faults),
            Ok(SettingKey::Env) => settings.env = environment(node, &path, faults),
            Ok(SettingKey::TimeoutS) => settings.timeout_s = shape::seconds(node, &path, faults, 1, MAX_LIMIT_S),
            Ok(SettingKey::QueueS) => settings.queue_s = shape::seconds(node, &path, faults, 1, MAX_LIMIT_S),
            Ok(SettingKey::SilenceS) => settings.silence_s = shape::seconds(node, &path, faults, 1, MAX_LIMIT_S),
            Ok(SettingKey::StopGraceS) => {
                settings.stop_grace_s = shape::seconds(node, &path, faults, 0, MAX_STOP_GRACE_S);
            }
            Ok(SettingKey::OutputCapMib) => {
                settings.output_cap_mib = shape::whole(node, &path, faults, "MiB", 1, MAX_OUTPUT_CAP_MIB);
            }
            Ok(SettingKey::StopAfterDisconnectS) => {
                settings.stop_after_disconnect_s = shape::seconds(node, &path, faults, 0, MAX_LIMIT_S);
            }
            Ok(SettingKey::Artifacts) => settings.artifacts = artifacts(node, &path, faults),
            Ok(SettingKey::FailFast) => settings.fail_fast = shape::boolean(node, &path, faults).unwrap_or_default(),
            Ok(SettingKey::MaxParallel) => {
                settings.max_parallel = shape::whole(node, &path, faults, "jobs", 1, MAX_PARALLEL);
            }
            Ok(SettingKey::ContinueOnError) => settings.continue_on_error = tolerated(node, &path, faults),
            Ok(SettingKey::Retry) => settings.retry_on_lost = retry(node, &path, faults),
            Ok(SettingKey::Concurrency) => settings.concurrency = concurrency(node, &path, faults),
            Ok(SettingKey::Secrets) => settings.secrets = secrets::read(node, &path, faults),
            Err(unknown) => {
                faults.unknown(&path, &member.key_span, "unknown key of a phase", &member.key, &unknown.allowed);
            }
        }
    }
    secrets::check(node, &settings, path, faults);
    settings
}

fn environment(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        let text = if let Json::Text(text) = &member.node.value { text.as_str() } else { "" };
        match check_variable(&member.key, text) {
            Ok(()) if is_ours(&member.key) => {
                let message = "variables that begin with SHUNT_ are Shuntyard's";
                faults.add(&path, &member.key_span, message, &["any other name"]);
            }
            Ok(()) => (),
            Err(BadFrame::NulInValue(_) | BadFrame::NulInScript | BadFrame::NulInSecret) => {
                faults.add(&path, &member.node.span, "must not contain the character NUL", &["a string without NUL"]);
            }
            Err(fault @ BadFrame::ReservedName(_)) => {
                faults.add(&path, &member.key_span, &fault, &["any other name"]);
            }
            Err(BadFrame::BadName(_)) => {
                let message = "this is no name of an environment variable";
                faults.add(&path, &member.key_span, message, &["letters, digits and `_`, not starting with a digit"]);
            }
        }
        match &member.node.value {
            Json::Text(text) => {
                environment.insert(member.key.clone(), text.clone());
            }
            _ => shape::wrong_type(&member.node, &path, faults, &["a string"]),
        }
    }
    environment
}

/// `true`, `false`, or a list of the filters whose rows may fail.
fn tolerated(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Tolerated {
    const ALLOWED: &[&str] = &["true", "false", "a list of filter objects"];
    match &node.value {
        Json::Bool(true) => Tolerated::All,
        Json::Bool(false) => Tolerated::None,
        Json::List(nodes) => {
            if nodes.is_empty() {
                faults.add(path, &node.span, "an empty list names no row: write false", ALLOWED);
            }
            let row = |(index, node): (usize, &Node)| {
                (dispatch::filter(node, &path.index(index), faults, &["a filter object"]), node.span.clone())
            };
            Tolerated::Rows(nodes.iter().enumerate().map(row).collect())
        }
        _ => {
            shape::wrong_type(node, path, faults, ALLOWED);
            Tolerated::None
        }
    }
}

/// Says which filters of `continue_on_error` are those of no row of their phase.
pub(super) fn check_tolerated(
    phase: Phase,
    settings: &Settings,
    rows: &[Filter],
    path: &Path<'_>,
    faults: &mut Faults<'_>,
) {
    let Tolerated::Rows(named) = &settings.continue_on_error else { return };
    let path = path.key(phase.as_str());
    let path = path.key(SettingKey::ContinueOnError.as_str());
    for (index, (filter, span)) in named.iter().enumerate() {
        if rows.iter().any(|row| row.canonical() == filter.canonical()) {
            continue;
        }
        let rows: Vec<String> = rows.iter().take(MAX_ROWS_QUOTED).map(ToString::to_string).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let message = format!("no row of phase `{phase}` has this filter");
        faults.unknown(&path.index(index), span, message, &filter.to_string(), &rows);
    }
}

fn artifacts(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Vec<String> {
    let texts = shape::strings(node, path, faults, "file pattern");
    if texts.len() > MAX_PATTERNS {
        faults.add(path, &node.span, format!("{} patterns are too many", texts.len()), &["up to 50 patterns"]);
    }
    let mut patterns = Vec::new();
    for (index, text, node) in texts {
        match Pattern::parse(text) {
            Ok(_) => patterns.push(text.to_owned()),
            Err(bad) => faults.add(&path.index(index), &node.span, bad, &[bad.allowed]),
        }
    }
    patterns
}

fn retry(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> bool {
    let mut on_lost = false;
    for member in shape::members(node, path, faults) {
        let path = path.key(&member.key);
        if member.key == "on_lost" {
            on_lost = shape::boolean(&member.node, &path, faults).unwrap_or_default();
        } else {
            faults.unknown(&path, &member.key_span, "unknown key of `retry`", &member.key, &["on_lost"]);
        }
    }
    on_lost
}

/// `{"group": …, "limit": N}`; the group is required.
fn concurrency(node: &Node, path: &Path<'_>, faults: &mut Faults<'_>) -> Option<Concurrency> {
    let (mut group, mut limit) = (None, Some(Concurrency::default_limit()));
    let members = shape::members(node, path, faults);
    for member in members {
        let (path, node) = (path.key(&member.key), &member.node);
        match member.key.as_str() {
            "group" => {
                group = shape::non_empty(node, &path, faults);
                if let Some(Err(bad)) = group.as_deref().map(check_group) {
                    faults.add(&path, &node.span, "this is no name of a group", &[bad.allowed]);
                }
            }
            "limit" => limit = shape::whole(node, &path, faults, "jobs", *GROUP_LIMITS.start(), *GROUP_LIMITS.end()),
            key => faults.unknown(&path, &member.key_span, "unknown key of `concurrency`", key, &["group", "limit"]),
        }
    }
    if matches!(node.value, Json::Object(_)) && !members.iter().any(|member| member.key == "group") {
        faults.missing(&path.key("group"), &node.span, &["the name of a group"]);
    }
    Some(Concurrency { group: group?, limit: limit? })
}
