//! Looks at every runner once and counts what keeps it from the job.

use std::collections::{BTreeMap, BTreeSet};

use super::sentence::{self, Counts};
use super::{
    CandidateExplanation, ClauseExplanation, Explanation, LISTED_MAX, LimitExplanation, NEAREST_MAX, NearCount,
    NearMiss, Verdict, WhyNot,
};
use crate::board::Availability;
use crate::filter::{Attributes, Filter, FilterKey};
use crate::ids::JobId;

/// A waiting job and where it stands.
pub(crate) struct Asked<'a> {
    pub(crate) job: JobId,
    pub(crate) org: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) position: usize,
    pub(crate) ahead: usize,
    /// Some runner's next free slot is the job's.
    pub(crate) next: bool,
    /// The whole queue is.
    pub(crate) paused: bool,
    pub(crate) limits: Vec<LimitExplanation>,
}

/// A runner of the inventory.
pub(crate) struct Seen<'a> {
    pub(crate) attributes: &'a Attributes,
    pub(crate) in_scope: bool,
    pub(crate) availability: Availability,
    /// It would be given a job now.
    pub(crate) is_free: bool,
    pub(crate) running: &'a BTreeMap<JobId, u32>,
}

/// Explains why the job waits, given every runner of the inventory in any order.
pub(crate) fn answer<'a>(asked: &Asked<'a>, inventory: impl Iterator<Item = Seen<'a>>) -> Explanation {
    let mut tally = Tally::new(asked.filter);
    inventory.for_each(|runner| tally.look_at(asked.filter, &runner));
    let candidates_total = tally.candidates.total;
    let nearest_by_key = tally.near_counts();
    let verdict = match (candidates_total, asked.next) {
        (0, _) => Verdict::Never,
        (_, true) => Verdict::Next,
        (_, false) => Verdict::NotNow,
    };
    let mut explanation = Explanation {
        job: asked.job,
        position: asked.position,
        ahead: asked.ahead,
        verdict,
        clauses: tally.clauses.into_iter().map(Clause::told).collect(),
        scope_excluded: tally.out_of_scope.names(),
        scope_excluded_total: tally.out_of_scope.total,
        candidates: tally.candidates.first.into_values().collect(),
        candidates_total,
        limits: asked.limits.clone(),
        nearest_by_key,
        nearest: tally.nearest.first.into_values().collect(),
        pools: Vec::new(),
        paused: asked.paused,
        summary: String::new(),
        unblock: String::new(),
    };
    let counts =
        Counts { org: asked.org, in_scope: tally.in_scope, why: &tally.why, first_by_why: &tally.first_by_why };
    explanation.summary = sentence::summary(&explanation, &counts);
    explanation.unblock = sentence::unblock(&explanation, &counts);
    explanation
}

/// What was counted so far.
struct Tally<'a> {
    in_scope: usize,
    out_of_scope: Listed<&'a str, ()>,
    clauses: Vec<Clause<'a>>,
    candidates: Listed<(WhyNot, &'a str), CandidateExplanation>,
    nearest: Listed<(bool, &'a str), NearMiss>,
    nearest_by_key: BTreeMap<FilterKey, usize>,
    why: BTreeMap<WhyNot, usize>,
    first_by_why: BTreeMap<WhyNot, &'a str>,
}

impl<'a> Tally<'a> {
    fn new(filter: &'a Filter) -> Self {
        let clause = |(key, wanted)| Clause { key, wanted, matching: 0, excluded: Listed::new(LISTED_MAX) };
        Self {
            in_scope: 0,
            out_of_scope: Listed::new(LISTED_MAX),
            clauses: filter.clauses().map(clause).collect(),
            candidates: Listed::new(LISTED_MAX),
            nearest: Listed::new(NEAREST_MAX),
            nearest_by_key: BTreeMap::new(),
            why: BTreeMap::new(),
            first_by_why: BTreeMap::new(),
        }
    }

    fn look_at(&mut self, filter: &Filter, runner: &Seen<'a>) {
        let hostname = runner.attributes.hostname.as_str();
        if !runner.in_scope {
            self.out_of_scope.note(hostname, || ());
            return;
        }
        self.in_scope += 1;
        let mut misses = Vec::new();
        for clause in &mut self.clauses {
            if filter.clause_matches(clause.key, runner.attributes) {
                clause.matching += 1;
            } else {
                clause.excluded.note(hostname, || ());
                misses.push(clause.key);
            }
        }
        match misses.as_slice() {
            [] => self.candidate(hostname, runner),
            [key] => {
                *self.nearest_by_key.entry(*key).or_insert(0) += 1;
                let away = runner.availability != Availability::Ready;
                let has = || value(*key, runner.attributes);
                let miss = || NearMiss { hostname: hostname.into(), key: key.to_string(), has: has() };
                self.nearest.note((away, hostname), miss);
            }
            _ => {}
        }
    }

    /// The most first, then in the order of the keys.
    fn near_counts(&self) -> Vec<NearCount> {
        let mut counts: Vec<_> = self.nearest_by_key.iter().map(|(key, runners)| (*runners, *key)).collect();
        counts.sort_by_key(|(runners, key)| (std::cmp::Reverse(*runners), *key));
        counts.into_iter().map(|(runners, key)| NearCount { key: key.to_string(), runners }).collect()
    }

    fn candidate(&mut self, hostname: &'a str, runner: &Seen<'a>) {
        let why = if runner.is_free { WhyNot::Free } else { why_not(runner.availability) };
        *self.why.entry(why).or_insert(0) += 1;
        let first = self.first_by_why.entry(why).or_insert(hostname);
        *first = (*first).min(hostname);
        let busy_with = || runner.running.keys().copied().take(LISTED_MAX).collect();
        let told = || CandidateExplanation { hostname: hostname.into(), why, busy_with: busy_with(), note: None };
        self.candidates.note((why, hostname), told);
    }
}

/// One clause and whom it excludes.
struct Clause<'a> {
    key: FilterKey,
    wanted: &'a [String],
    matching: usize,
    excluded: Listed<&'a str, ()>,
}

impl Clause<'_> {
    fn told(self) -> ClauseExplanation {
        ClauseExplanation {
            key: self.key.to_string(),
            wanted: self.wanted.to_vec(),
            matching: self.matching,
            excluded: self.excluded.total,
            excluded_runners: self.excluded.names(),
        }
    }
}

/// Counts all, keeps the first few in order.
struct Listed<K, V> {
    total: usize,
    max: usize,
    first: BTreeMap<K, V>,
}

impl<K: Ord, V> Listed<K, V> {
    fn new(max: usize) -> Self {
        Self { total: 0, max, first: BTreeMap::new() }
    }

    fn note(&mut self, key: K, value: impl FnOnce() -> V) {
        self.total += 1;
        if self.first.len() == self.max {
            if self.first.last_key_value().is_none_or(|(last, _)| *last < key) {
                return;
            }
            self.first.pop_last();
        }
        self.first.insert(key, value());
    }
}

impl Listed<&str, ()> {
    fn names(&self) -> Vec<String> {
        self.first.keys().map(|name| (*name).to_owned()).collect()
    }
}

/// Why a matching runner does not take the job; a ready one has no free slot, or the job would not wait.
fn why_not(availability: Availability) -> WhyNot {
    match availability {
        Availability::Ready => WhyNot::Busy,
        Availability::Pending => WhyNot::Pending,
        Availability::Draining => WhyNot::Draining,
        Availability::Disabled => WhyNot::Disabled,
        Availability::Quarantined => WhyNot::Quarantined,
        Availability::Unreachable => WhyNot::Unreachable,
        Availability::Unhealthy => WhyNot::Unhealthy,
        Availability::Spent => WhyNot::Spent,
    }
}

/// What the runner has under a key, as text.
fn value(key: FilterKey, runner: &Attributes) -> String {
    let joined = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    match key {
        FilterKey::Os => runner.facts.os.clone(),
        FilterKey::Platform => runner.facts.platform.clone(),
        FilterKey::PlatformFamily => runner.facts.platform_family.clone(),
        FilterKey::PlatformVersion => runner.facts.platform_version.clone(),
        FilterKey::Arch => runner.facts.arch.clone(),
        FilterKey::Hostname => runner.hostname.clone(),
        FilterKey::Labels => joined(&runner.labels),
        FilterKey::Capabilities => joined(&runner.capabilities),
    }
}
