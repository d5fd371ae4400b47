//! Where a plan would run: its rows against the inventory, before anything runs.
//!
//! A row's runners are found by the evaluator with which the board places (`board::accepts`), and a row that
//! nobody can take is explained by the one that explains a waiting job.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PhasePlan, SkipReason, StagePlan, description};
use crate::board::{Availability, BoardRunner, accepts, serves};
use crate::explain::{Asked, Explanation, LISTED_MAX, NearMiss, Seen, answer};
use crate::filter::{Attributes, Filter, FilterKey};
use crate::ids::{ChangeId, JobId};
use crate::phase::{Phase, Stage};
use crate::project_config::nearest;
use crate::tenancy::Name;

/// Of a script's first line, people are shown no more.
const RUNS_MAX_CHARS: usize = 200;

/// A plan against an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Forecast {
    pub stage: Stage,
    /// Nothing stands in the way: every row has a runner that may take it, and no word of a filter is unknown
    /// that must be known. A runner that is busy or away now does not stand in the way.
    pub runnable: bool,
    pub groups: Vec<Vec<PhaseForecast>>,
}

/// One phase of one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PhaseForecast {
    pub project: Name,
    /// None of a configuration that belongs to no change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<SkipReason>,
    /// The first line of its script that says something; none when it is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    pub rows: Vec<RowForecast>,
}

/// One row; those of a skipped phase are looked at too, but nothing about them is an obstacle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RowForecast {
    /// Chef's line: `hello - {"os":["linux"]}`.
    pub description: String,
    pub filter: Filter,
    /// Runners that may take the row, whatever they do now.
    pub matching: usize,
    /// Those that would take jobs now.
    pub ready: usize,
    /// Host names of matching runners; the first 20, ready ones first, then by name.
    pub runners: Vec<String>,
    /// When nobody matches: the runners that one clause keeps from the row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<NearMiss>,
    /// When nobody matches: why, and what would help, a sentence each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblock: Option<String>,
    /// Words of the filter that no runner of the organisation has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownWord>,
}

/// A word of a filter that no runner of the organisation has under its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UnknownWord {
    pub key: String,
    pub word: String,
    /// The word of some runner that was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// No runner can ever match while it stands there: labels and capabilities are all-of, and of any-of words
    /// all are unknown.
    pub is_error: bool,
}

/// Looks at every row of a plan; `org` is the organisation of the change, for the scope of runners.
#[must_use]
pub fn forecast(plan: &StagePlan, org: &Name, inventory: &[BoardRunner]) -> Forecast {
    let house = House { org, inventory, words: words(org, inventory) };
    let phase = |phase: &PhasePlan| match &phase.elsewhere {
        Some(at) if at.org != *org => House { org: &at.org, inventory, words: words(&at.org, inventory) }.phase(phase),
        _ => house.phase(phase),
    };
    let groups: Vec<Vec<PhaseForecast>> = plan.groups.iter().map(|group| group.iter().map(phase).collect()).collect();
    let stands_in_the_way = |row: &RowForecast| row.matching == 0 || row.unknown.iter().any(|word| word.is_error);
    let phases = groups.iter().flatten().filter(|phase| phase.skip.is_none());
    let runnable = !phases.flat_map(|phase| &phase.rows).any(stands_in_the_way);
    Forecast { stage: plan.stage, runnable, groups }
}

/// What the rows are held against.
struct House<'a> {
    org: &'a Name,
    inventory: &'a [BoardRunner],
    /// Every word that some runner of the organisation has, by key.
    words: BTreeMap<FilterKey, BTreeSet<&'a str>>,
}

impl House<'_> {
    fn phase(&self, plan: &PhasePlan) -> PhaseForecast {
        PhaseForecast {
            project: plan.project.clone(),
            change: Some(plan.change).filter(|change| !change.0.is_nil()),
            phase: plan.phase,
            skip: plan.skip,
            runs: first_line(&plan.spec.script),
            rows: plan.rows.iter().map(|row| self.row(plan, &row.filter)).collect(),
        }
    }

    fn row(&self, plan: &PhasePlan, filter: &Filter) -> RowForecast {
        let needs = plan.spec.needs(filter);
        let takes = |runner: &&BoardRunner| accepts(&needs, self.org.as_str(), runner);
        let mut runners: Vec<(bool, &str)> = self
            .inventory
            .iter()
            .filter(takes)
            .map(|runner| (runner.availability != Availability::Ready, runner.attributes.hostname.as_str()))
            .collect();
        runners.sort_unstable();
        let told = if runners.is_empty() { Some(self.why_not(&needs)) } else { None };
        RowForecast {
            description: description(&plan.project, filter),
            filter: filter.clone(),
            matching: runners.len(),
            ready: runners.iter().filter(|(away, _)| !away).count(),
            runners: runners.iter().take(LISTED_MAX).map(|(_, hostname)| (*hostname).to_owned()).collect(),
            nearest: told.as_ref().map(|told| told.nearest.clone()).unwrap_or_default(),
            why_not: told.as_ref().map(|told| told.summary.clone()),
            unblock: told.map(|told| told.unblock),
            unknown: self.unknown(filter),
        }
    }

    fn why_not(&self, filter: &Filter) -> Explanation {
        let (filter, idle) = (filter.canonical(), BTreeMap::new());
        let asked = Asked {
            paused: false,
            job: JobId(Uuid::nil()),
            org: self.org.as_str(),
            filter: &filter,
            position: 1,
            ahead: 0,
            next: false,
            limits: Vec::new(),
        };
        let seen = self.inventory.iter().map(|runner| Seen {
            attributes: &runner.attributes,
            in_scope: serves(&runner.scope, self.org.as_str()),
            availability: runner.availability,
            is_free: false,
            running: &idle,
        });
        answer(&asked, seen)
    }

    fn unknown(&self, filter: &Filter) -> Vec<UnknownWord> {
        let nothing = BTreeSet::new();
        let mut unknown = Vec::new();
        for (key, wanted) in filter.clauses() {
            let known = self.words.get(&key).unwrap_or(&nothing);
            let all_of = matches!(key, FilterKey::Labels | FilterKey::Capabilities);
            let is_error = all_of || wanted.iter().all(|word| !known.contains(word.as_str()));
            let words: Vec<&str> = known.iter().copied().collect();
            unknown.extend(wanted.iter().filter(|word| !known.contains(word.as_str())).map(|word| UnknownWord {
                key: key.to_string(),
                word: word.clone(),
                nearest: nearest(word, &words).map(ToOwned::to_owned),
                is_error,
            }));
        }
        unknown
    }
}

/// The first line that is neither empty nor a comment nor an option of the shell, at most 200 characters of it.
fn first_line(script: &str) -> Option<String> {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    let says_nothing = |line: &str| line.starts_with('#') || line.starts_with("set -");
    let first = lines.clone().find(|line| !says_nothing(line)).or_else(|| lines.next())?;
    Some(first.chars().take(RUNS_MAX_CHARS).collect())
}

fn words<'a>(org: &Name, inventory: &'a [BoardRunner]) -> BTreeMap<FilterKey, BTreeSet<&'a str>> {
    let mut words: BTreeMap<FilterKey, BTreeSet<&str>> = BTreeMap::new();
    for runner in inventory.iter().filter(|runner| serves(&runner.scope, org.as_str())) {
        for key in FilterKey::ALL {
            words.entry(*key).or_default().extend(words_of(*key, &runner.attributes));
        }
    }
    words
}

/// What a runner has under a key.
fn words_of(key: FilterKey, runner: &Attributes) -> Vec<&str> {
    match key {
        FilterKey::Os => vec![&runner.facts.os],
        FilterKey::Platform => vec![&runner.facts.platform],
        FilterKey::PlatformFamily => vec![&runner.facts.platform_family],
        FilterKey::PlatformVersion => vec![&runner.facts.platform_version],
        FilterKey::Arch => vec![&runner.facts.arch],
        FilterKey::Hostname => vec![&runner.hostname],
        FilterKey::Labels => runner.labels.iter().map(String::as_str).collect(),
        FilterKey::Capabilities => runner.capabilities.iter().map(String::as_str).collect(),
    }
}
