//! The two sentences of an explanation, for people.

use std::collections::BTreeMap;

use super::{ClauseExplanation, Explanation, HolderExplanation, LimitExplanation, NearMiss, Verdict, WhyNot};
use crate::board::LimitKind;

/// What the sentences need beside the explanation itself.
pub(super) struct Counts<'a> {
    pub(super) org: &'a str,
    /// Runners of the inventory that serve the organisation.
    pub(super) in_scope: usize,
    /// Matching runners by what keeps them from the job.
    pub(super) why: &'a BTreeMap<WhyNot, usize>,
    /// The first host name of each.
    pub(super) first_by_why: &'a BTreeMap<WhyNot, &'a str>,
}

/// Who paused it, and why, is added by those who know it.
const PAUSED: &str = "waits: the queue is paused";

/// Says why the job waits.
pub(super) fn summary(told: &Explanation, counts: &Counts<'_>) -> String {
    if told.verdict == Verdict::Never {
        return never(told, counts);
    }
    if told.paused {
        return PAUSED.into();
    }
    let reached: Vec<String> = told.limits.iter().filter(|limit| limit.reached).map(limit).collect();
    if reached.is_empty() {
        return runners(told, counts);
    }
    let free = counts.why.contains_key(&WhyNot::Free);
    let also = if free { String::new() } else { format!("; also {}", runners(told, counts)) };
    format!("waits for {}{also}", reached.join(" and "))
}

/// Says which runners keep the job waiting.
fn runners(told: &Explanation, counts: &Counts<'_>) -> String {
    let busy = counts.why.get(&WhyNot::Busy).copied().unwrap_or(0);
    let what = if busy > 0 { "a free slot" } else { "a runner" };
    let total = told.candidates_total;
    let mut parts = counts.why.iter().map(|(why, count)| (*why, *count));
    let Some((first, count)) = parts.next() else { return format!("waits for {what}") };
    let whole = match (count, total) {
        (1, 1) => format!("the only matching runner is {first}"),
        (2, 2) => format!("both matching runners are {first}"),
        (_, _) if count == total => format!("all {total} matching runners are {first}"),
        _ => format!("{count} of {total} matching runners {} {first}", is_are(count)),
    };
    let rest: String = parts.map(|(why, count)| format!(", {count} {} {why}", is_are(count))).collect();
    format!("waits for {what}: {whole}{rest}")
}

/// Says what would let the job start.
pub(super) fn unblock(told: &Explanation, counts: &Counts<'_>) -> String {
    match told.verdict {
        Verdict::Never => unblock_never(told, counts),
        Verdict::Next | Verdict::NotNow if told.paused => "`shunt queue resume`".into(),
        Verdict::Next => "the next slot that becomes free on one of these runners is this job's".into(),
        Verdict::NotNow => {
            told.limits.iter().find(|limit| limit.reached).map_or_else(|| unblock_runners(told, counts), unblock_limit)
        }
    }
}

fn unblock_runners(told: &Explanation, counts: &Counts<'_>) -> String {
    match counts.first_by_why.first_key_value() {
        Some((WhyNot::Busy, _)) if told.ahead > 0 => {
            format!("free slots for {} ahead of it, or one more matching runner", count(told.ahead, "job"))
        }
        Some((WhyNot::Busy, host)) => format!("give `{host}` at least one slot, or add a matching runner"),
        Some((why, host)) => format!("{}, or add a matching runner", remedy(*why, host)),
        None => String::new(),
    }
}

fn never(told: &Explanation, counts: &Counts<'_>) -> String {
    if counts.in_scope == 0 {
        return match told.scope_excluded_total {
            0 => "no runner is in the inventory".into(),
            1 => {
                format!("no runner in the inventory serves organisation `{}`: the only one serves another", counts.org)
            }
            all => format!("no runner in the inventory serves organisation `{}`: all {all} serve others", counts.org),
        };
    }
    let of_scope = if told.scope_excluded_total > 0 { " in scope" } else { "" };
    let (excluding_all, others): (Vec<_>, Vec<_>) = told.clauses.iter().partition(|clause| clause.matching == 0);
    let whom = |clause: &ClauseExplanation| match (clause.excluded, counts.in_scope) {
        (1, 1) => format!("the only runner{of_scope}"),
        (2, 2) => format!("both runners{of_scope}"),
        (some, all) if some == all => format!("all {all} runners{of_scope}"),
        (some, all) => format!("{some} of {all} runners{of_scope}"),
    };
    let told_of = if excluding_all.is_empty() { others } else { excluding_all };
    let parts = told_of.into_iter().filter(|clause| clause.excluded > 0);
    let parts: Vec<_> = parts.map(|c| format!("{} {} excludes {}", c.key, list(&c.wanted), whom(c))).collect();
    format!("no runner in the inventory can match: {}", parts.join(", "))
}

fn unblock_never(told: &Explanation, counts: &Counts<'_>) -> String {
    if counts.in_scope == 0 {
        return if told.scope_excluded_total == 0 {
            "install a runner".into()
        } else {
            format!("add a runner for organisation `{}`, or one for the whole enterprise", counts.org)
        };
    }
    let Some(NearMiss { hostname, key, has }) = told.nearest.first() else {
        return "add a runner that matches every clause, or change the filter".into();
    };
    let wanted = told.clauses.iter().find(|clause| clause.key == *key).map(|clause| list(&clause.wanted));
    let wanted = wanted.unwrap_or_default();
    match key.as_str() {
        "labels" | "capabilities" => format!("give runner `{hostname}` the {key} {wanted}, or change the filter"),
        _ => format!(
            "add a runner with {key} {wanted}, or change the filter: the nearest runner, `{hostname}`, has {key} {}",
            list(&[has])
        ),
    }
}

/// A limit that is reached, and who holds it.
fn limit(of: &LimitExplanation) -> String {
    let what = match of.kind {
        LimitKind::Project => "the limit of project",
        LimitKind::Group => "group",
    };
    let first: Vec<String> = of.holders.iter().take(3).map(holder).collect();
    let more = (of.running as usize).saturating_sub(first.len());
    let more = if more > 0 { format!(" and {}", count(more, "other")) } else { String::new() };
    let held = if first.is_empty() { String::new() } else { format!(", held by {}{more}", first.join(", ")) };
    format!("{what} `{}` ({} of {} running{held})", of.name, of.running, of.limit)
}

fn holder(of: &HolderExplanation) -> String {
    let project = if of.project.is_empty() { String::new() } else { format!(" of project `{}`", of.project) };
    format!("job {}{project}", of.job)
}

fn unblock_limit(of: &LimitExplanation) -> String {
    let turn =
        if of.ahead > 0 { format!(" for {} ahead of it, then its own", count(of.ahead, "job")) } else { String::new() };
    let raise = match of.kind {
        LimitKind::Project => format!("a higher limit of project `{}`", of.name),
        LimitKind::Group => format!("a higher limit of group `{}`", of.name),
    };
    let end = match of.holders.as_slice() {
        [] => "a limit above 0".to_owned(),
        [only] => format!("the end of {}{turn}", holder(only)),
        _ => format!("the end of one of the {} jobs that hold it{turn}", of.running),
    };
    format!("{end}, or {raise}")
}

/// What a person would do about a runner.
fn remedy(why: WhyNot, host: &str) -> String {
    match why {
        WhyNot::Free => format!("wait until it is placed on `{host}`"),
        WhyNot::Busy => format!("wait for a slot of `{host}`"),
        WhyNot::Unreachable => format!("bring `{host}` back within reach"),
        WhyNot::Unhealthy => format!("repair `{host}` until its Test passes"),
        WhyNot::Draining | WhyNot::Disabled => format!("enable `{host}` again"),
        WhyNot::Quarantined => format!("check the host key of `{host}` and accept it if it is right"),
        WhyNot::Spent => format!("enrol `{host}` once more: it takes one job only, and has had it"),
        WhyNot::Pending => format!("finish the installation of `{host}`"),
    }
}

/// Values as JSON, as they stand in a filter.
fn list<T: AsRef<str>>(values: &[T]) -> String {
    let quoted: Vec<_> = values.iter().map(|value| serde_json::Value::from(value.as_ref()).to_string()).collect();
    format!("[{}]", quoted.join(","))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn is_are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}
