//! All runners, as a table or as cards.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::filter::{Attributes, Filter, filter_of};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::Runner;
use shuntyard_domain::wire::api::{JobBody, RunnerBody};

use super::steps::test;
use super::{jobs, page_of, steps};
use crate::http::Api;
use crate::http::access::{Administer, Caller, Look};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::query::ApiQuery;
use crate::http::ui::bar::Section;
use crate::http::ui::page::Page;
use crate::http::ui::viewer::Viewer;
use crate::http::ui::{live, parts};
use crate::store::runner_tests_at;

/// Rows of a page; who has more narrows the list.
const MOST: usize = 250;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    filter: Option<String>,
    /// `grid`, else a table.
    view: Option<String>,
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Response, ApiError> {
    // A filter that cannot be read is said at once, not by a stream.
    Chosen::of(query.filter.as_deref().unwrap_or_default())?;
    live::answer(api, viewer, |_| true, move |api, viewer| draw(api, viewer, query.clone())).await
}

async fn draw(api: Api, viewer: Viewer, query: ListQuery) -> Result<Page, ApiError> {
    let caller = viewer.known()?;
    let all = api.runners_known(caller);
    let chosen = Chosen::of(query.filter.as_deref().unwrap_or_default())?;
    let matching: Vec<RunnerId> = all.iter().filter(|runner| chosen.takes(runner)).map(|runner| runner.id).collect();
    let shown = Shown::of(&api, caller, &matching[..matching.len().min(MOST)]).await?;
    let grid = query.view.as_deref() == Some("grid");
    let may_add = viewer.may(Administer::ROLES, &Place::Enterprise);
    let main = html! {
        div.top {
            h1 { "Runners" }
            form.filterbox method="get" action="/runners" data-filter role="search" {
                @if grid { input type="hidden" name="view" value="grid"; }
                label {
                    span.unseen { "Filter" }
                    input type="search" name="filter" value=(query.filter.as_deref().unwrap_or_default())
                        placeholder="os=linux labels=gpu, or a part of a name" autocomplete="off" spellcheck="false";
                }
                span role="status" {
                    "matches " (matching.len()) " of " (all.len())
                }
            }
            div.right {
                @let (other, word) = if grid { ("table", "As a table") } else { ("grid", "As a grid") };
                a.button href=(address(&query, other)) { (word) }
                @if may_add { a.button.primary href="/add-runner" { "Add runner" } }
            }
        }
        @if all.is_empty() {
            (parts::empty("There is no runner yet. Any host with sshd and a POSIX shell can be one:", "shunt ctl install-runner HOST USER"))
        } @else if grid { (cards(&shown)) } @else { (table(&shown)) }
        (steps::place(true))
        @if matching.len() > MOST { p.muted { "The first " (MOST) " by name; narrow them by the filter." } }
    };
    Ok(Page::live("Runners", Section::Runners, main).with(&["steps.js"]))
}

/// The runners of a page, and what stands beside them.
struct Shown {
    runners: Vec<RunnerBody>,
    /// By the runner's name; only those that the reader may see.
    jobs: HashMap<String, Vec<JobBody>>,
    tested_at_ms: HashMap<RunnerId, i64>,
}

impl Shown {
    async fn of(api: &Api, caller: &Caller, ids: &[RunnerId]) -> Result<Self, ApiError> {
        let (runners, mut placed) = api.dispatcher.runner_bodies_of(ids).await?;
        placed.retain(|job| caller.check(Look::ROLES, &Place::of(&job.origin.org, &job.origin.project)).is_ok());
        let mut jobs: HashMap<String, Vec<JobBody>> = HashMap::new();
        for job in api.job_bodies(&placed).await? {
            jobs.entry(job.runner.clone().unwrap_or_default()).or_default().push(job);
        }
        let ids = ids.to_vec();
        let tested_at_ms = api.dispatcher.store().read(move |c| runner_tests_at(c, &ids)).await?;
        Ok(Self { runners, jobs, tested_at_ms })
    }

    fn test_of(&self, runner: &RunnerBody) -> Markup {
        parts::test_result(runner, self.tested_at_ms.get(&runner.id).copied())
    }

    fn jobs_of(&self, runner: &RunnerBody) -> Markup {
        let jobs = self.jobs.get(&runner.hostname).map_or(&[][..], Vec::as_slice);
        html! {
            @for job in jobs.iter().take(4) { div { (jobs::line(job)) } }
            @if jobs.len() > 4 { div.muted { "and " (jobs.len() - 4) " more" } }
        }
    }
}

fn table(shown: &Shown) -> Markup {
    html! {
        div.table { table {
            thead { tr {
                th { "Name" } th { "Platform" } th { "Labels" } th { "Slots" } th { "Jobs" } th { "State" } th { "Contact" } th { "Test" }
                th { span.unseen { "Actions" } }
            } }
            tbody { @for runner in &shown.runners { tr #{ "r-" (runner.hostname) } {
                td { a href=(page_of(&runner.hostname)) { (runner.hostname) } }
                td { (parts::platform(runner)) }
                td { (parts::words(runner.labels.iter().chain(&runner.capabilities))) }
                td { (parts::pips(runner)) }
                td { (shown.jobs_of(runner)) }
                td { (parts::runner_state(runner)) }
                td { (parts::contact(runner)) }
                td { (shown.test_of(runner)) }
                td { (test(runner)) }
            } } }
        } }
    }
}

fn cards(shown: &Shown) -> Markup {
    html! { div.cards { @for runner in &shown.runners {
        section.card #{ "r-" (runner.hostname) } {
            h2 { a href=(page_of(&runner.hostname)) { (runner.hostname) } }
            p { (parts::platform(runner)) }
            p { (parts::runner_state(runner)) " " (parts::contact(runner)) }
            div.acts { "Test: " (shown.test_of(runner)) (test(runner)) }
            p { (parts::pips(runner)) }
            p { (shown.jobs_of(runner)) }
            p { (parts::words(runner.labels.iter().chain(&runner.capabilities))) }
        }
    } } }
}

/// The same list in another shape.
fn address(query: &ListQuery, view: &str) -> String {
    parts::address("/runners", &[("view", Some(view)), ("filter", query.filter.as_deref())])
}

/// What the filter box says: clauses as of jobs, and parts of names.
struct Chosen {
    filter: Filter,
    parts: Vec<String>,
}

impl Chosen {
    fn of(text: &str) -> Result<Self, ApiError> {
        let (clauses, parts): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(|word| word.contains('='));
        let filter =
            filter_of(clauses).map_err(|bad_one| bad("filter", format!("`{}`: {bad_one}", bad_one.found), &[]))?;
        Ok(Self { filter, parts: parts.into_iter().map(str::to_owned).collect() })
    }

    fn takes(&self, runner: &Runner) -> bool {
        self.parts.iter().all(|part| runner.hostname.contains(part))
            && self.filter.matches(&Attributes {
                hostname: runner.hostname.clone(),
                facts: runner.facts.clone(),
                labels: runner.labels.clone(),
                capabilities: runner.capabilities.clone(),
            })
    }
}
