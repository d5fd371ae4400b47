//! The rows of a phase as cells: one platform a line, one version a column, when that is what they differ in.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::change::{PhaseBody, RowBody};

use super::status;
use crate::http::ui::parts;
use crate::store::Span;

/// `ran` are the jobs that were started.
pub(super) fn rows(phase: &PhaseBody, ran: &BTreeMap<JobId, Span>) -> Markup {
    let cells: Option<Vec<(String, String)>> = phase.run_details.iter().map(coordinates).collect();
    match cells {
        Some(cells) if cells.len() > 1 && cells.iter().collect::<BTreeSet<_>>().len() == cells.len() => {
            grid(phase, &cells, ran)
        }
        _ => html! { ul.rows { @for row in &phase.run_details { li { (cell(row, &words(row), ran)) } } } },
    }
}

/// Which platform and which version a row is for; `None` when it is for several, or for something else.
fn coordinates(row: &RowBody) -> Option<(String, String)> {
    let filter = &row.filter;
    let one = |values: &[String]| match values {
        [] => Some(String::new()),
        [only] => Some(only.clone()),
        _ => None,
    };
    let names = [&filter.platform, &filter.platform_family, &filter.os].into_iter().find(|names| !names.is_empty());
    let others = [&filter.arch, &filter.hostname, &filter.labels, &filter.capabilities];
    if others.into_iter().any(|values| !values.is_empty()) {
        return None;
    }
    Some((one(names?)?, one(&filter.platform_version)?))
}

fn grid(phase: &PhaseBody, cells: &[(String, String)], ran: &BTreeMap<JobId, Span>) -> Markup {
    let platforms: BTreeSet<&String> = cells.iter().map(|(platform, _)| platform).collect();
    let versions: BTreeSet<&String> = cells.iter().map(|(_, version)| version).collect();
    let at = |platform: &String, version: &String| cells.iter().position(|(p, v)| p == platform && v == version);
    html! { table.matrix {
        thead { tr { td {} @for version in &versions { th scope="col" { (version) } } } }
        tbody { @for platform in &platforms { tr {
            th scope="row" { (platform) }
            @for version in &versions { td {
                @if let Some(n) = at(platform, version) { (cell(&phase.run_details[n], "", ran)) }
            } }
        } } }
    } }
}

/// What a row asks for, shortly.
fn words(row: &RowBody) -> String {
    let values: Vec<&str> = row.filter.clauses().flat_map(|(_, values)| values).map(String::as_str).collect();
    if values.is_empty() { "any runner".into() } else { values.join(" ") }
}

fn cell(row: &RowBody, words: &str, ran: &BTreeMap<JobId, Span>) -> Markup {
    let carried = if row.carried { " (kept from an earlier run)" } else { "" };
    let may_fail = if row.continue_on_error { " (may fail)" } else { "" };
    let skipped = row.skip.map(|why| format!(" ({})", why.as_str().replace('_', " "))).unwrap_or_default();
    html! {
        span title={ (row.description) (carried) (may_fail) (skipped) } {
            @match row.job {
                Some(job) => a href={ "/jobs/" (job) } { (status(row.status)) " " (words) },
                None => { (status(row.status)) " " (words) }
            }
            @if let Some(span) = row.job.and_then(|job| ran.get(&job)) { " " span.muted { (parts::spanning(*span)) } }
            (may_fail) (skipped)
        }
    }
}
