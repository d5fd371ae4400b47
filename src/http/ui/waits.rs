//! Why a job waits: in a sentence, and for who opens it clause by clause.

use maud::{Markup, html};
use shuntyard_domain::explain::{Explanation, Verdict};

use super::parts::{Tone, state};

/// `open` shows the clauses at once.
pub(super) fn why(of: &Explanation, open: bool) -> Markup {
    let (tone, word) = match of.verdict {
        Verdict::Never => (Tone::Bad, "never"),
        Verdict::NotNow => (Tone::Warn, "not now"),
        Verdict::Next => (Tone::Good, "next"),
    };
    html! {
        section #why {
            p { (state(tone, word)) ": " (of.summary) "." }
            p.muted { "To unblock: " (of.unblock) }
            details open[open] {
                summary { "Clause by clause" }
                p { "Position " (of.position) " among the jobs with this filter, " (of.ahead) " ahead of it." }
                (clauses(of))
                (limits(of))
                (runners(of))
            }
        }
    }
}

fn clauses(of: &Explanation) -> Markup {
    html! {
        @if of.clauses.is_empty() { p { "Its filter names no clause: any runner will do." } }
        @else { div.table { table {
            thead { tr { th { "Clause" } th.number { "Match" } th.number { "Excluded" } th { "Which" } } }
            tbody { @for clause in &of.clauses { tr {
                td { code { (clause.key) " = " (clause.wanted.join(", ")) } }
                td.number { (clause.matching) }
                td.number { (clause.excluded) }
                td { (names(&clause.excluded_runners, clause.excluded)) }
            } } }
        } } }
        @if of.scope_excluded_total > 0 {
            p { "Of other organisations: " (names(&of.scope_excluded, of.scope_excluded_total)) }
        }
        @for near in &of.nearest {
            p { a href={ "/runners/" (near.hostname) } { (near.hostname) } " fails only on " code { (near.key) } ": it has "
                @if near.has.is_empty() { "nothing" } @else { code { (near.has) } } "." }
        }
    }
}

fn limits(of: &Explanation) -> Markup {
    html! { @for limit in &of.limits {
        p {
            "Limit of " (limit.kind) " " (limit.name) ": " (limit.running) " of " (limit.limit) " running"
            @if limit.reached { ", reached" } @else { ", has room" }
            @if limit.ahead > 0 { "; " (limit.ahead) " ahead of it wait for it" }
            @if limit.reached && !limit.holders.is_empty() {
                ". Held by " @for holder in &limit.holders { a href={ "/jobs/" (holder.job) } { (holder.job) } " " }
            }
        }
    } }
}

fn runners(of: &Explanation) -> Markup {
    html! { @if of.candidates_total > 0 {
        div.table { table {
            thead { tr { th { "May take it" } th { "But now" } th { "With" } } }
            tbody { @for candidate in &of.candidates { tr {
                td { a href={ "/runners/" (candidate.hostname) } { (candidate.hostname) } }
                td { (candidate.why) @if let Some(note) = &candidate.note { " " (note) } }
                td { @for job in &candidate.busy_with { a href={ "/jobs/" (job) } { (job) } " " } }
            } } }
        } }
        @if of.candidates_total > of.candidates.len() { p.muted { "and " (of.candidates_total - of.candidates.len()) " more" } }
    } }
}

fn names(named: &[String], total: usize) -> String {
    let more = total.saturating_sub(named.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    named.join(", ") + &more
}
