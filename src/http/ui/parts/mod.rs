//! What several pages are made of.

mod ask;
mod runner;
mod state;
mod times;

use std::collections::BTreeSet;

use maud::{Markup, html};
use shuntyard_domain::filter::Filter;

pub(super) use ask::{Ask, Leaving, ask, ask_about, ask_to_leave, ways};
pub(super) use runner::{contact, pips, platform, runner_state, test_result};
pub(super) use state::{Tone, job_state, state};
pub(super) use times::{Lasting, ago, at, clock, elapsed, lasting, spanning};

/// Labels, or other short words.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a String>) -> Markup {
    html! { ul.labels { @for word in words { li { (word) } } } }
}

/// What a job asks of its runner, as it is typed.
pub(super) fn filter(filter: &Filter) -> Markup {
    let clauses: Vec<String> = filter.clauses().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
    html! { @if clauses.is_empty() { span.muted { "any runner" } } @else { code { (clauses.join(" ")) } } }
}

/// As they are typed again: between commas.
pub(super) fn joined(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// A list that is empty: what it would hold, and what to type next.
pub(super) fn empty(what: &str, command: &str) -> Markup {
    html! { div.empty { p { (what) } p { code { (command) } } } }
}

/// An address of ours with those words of a query that say something.
pub(super) fn address(path: &str, words: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in words {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.append_pair(key, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The link to the next page of a list, unless this was the last one.
pub(super) fn more(href: Option<String>) -> Markup {
    html! { @if let Some(href) = href { p.more { a.button href=(href) rel="next" { "Older" } } } }
}
