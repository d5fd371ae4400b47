//! History: jobs that have ended, searched by state, project, runner and title.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::wire::api::JobBody;

use super::bar::Section;
use super::page::Page;
use super::parts::{self, Lasting};
use super::viewer::Viewer;
use crate::http::Api;
use crate::http::access::{At, Look, Routes};
use crate::http::error::ApiError;
use crate::http::jobs::JobFilter;
use crate::http::query::{ApiQuery, filled};

pub(super) fn routes() -> Routes {
    Routes::new().get("/history", Look(At::Anywhere), page)
}

async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(filter): ApiQuery<JobFilter>,
) -> Result<Response, ApiError> {
    let asked = asked(&filter);
    // What cannot be looked for is said above the words that were typed.
    let (query, complaint) = match asked.query(&api, viewer.known()?) {
        Ok(query) => (Some(query), None),
        Err(refused) => (None, Some(refused.sentence())),
    };
    let limit = query.as_ref().map_or(0, |query| query.limit as usize);
    let jobs = match query {
        Some(query) => api.page(query).await?,
        None => Vec::new(),
    };
    let older = jobs.last().filter(|_| jobs.len() == limit).map(|last| address(&filter, &last.id.to_string()));
    let main = html! {
        h1 { "History" }
        (search(&filter))
        @if let Some(complaint) = &complaint { p.complaint role="alert" { (complaint) } }
        @else if jobs.is_empty() {
            (parts::empty("No job has ended that fits. Every job that runs comes here when it ends:", "shunt run -- uname -a"))
        } @else { (table(&jobs)) }
        (parts::more(older))
    };
    Ok(Page::still("History", Some(Section::History), main).response(&viewer))
}

/// An empty field of the form asks for nothing.
fn asked(filter: &JobFilter) -> JobFilter {
    let filled = |text: &Option<String>| filled(text.as_ref()).map(str::to_owned);
    JobFilter {
        state: Some(filled(&filter.state).unwrap_or_else(|| "finished".into())),
        project: filled(&filter.project),
        title: filled(&filter.title),
        runner: filled(&filter.runner),
        ..filter.clone()
    }
}

fn search(filter: &JobFilter) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    html! {
        form.filterbox method="get" action="/history" role="search" {
            label { "Title " input type="search" name="title" value=(text(&filter.title)); }
            label { "Project " input name="project" value=(text(&filter.project)) size="14"; }
            label { "Runner " input name="runner" value=(text(&filter.runner)) size="14" spellcheck="false"; }
            label { "State " select name="state" {
                option value="" { "any end" }
                @for outcome in Outcome::ALL {
                    option value=(outcome) selected[filter.state.as_deref() == Some(outcome.as_str())] { (outcome.as_str().replace('_', " ")) }
                }
            } }
            button { "Search" }
        }
    }
}

fn table(jobs: &[JobBody]) -> Markup {
    html! { div.table { table {
        thead { tr {
            th { "Job" } th { "Project" } th { "Change" } th { "Stage, phase" } th { "End" } th.number { "Exit" } th { "Runner" }
            th.number { "Attempt" } th { "Took" } th { "Ended" }
        } }
        tbody { @for job in jobs { tr {
            td.cut { a href={ "/jobs/" (job.id) } { (job.title) } }
            td { (job.project) }
            td { @if !job.change.id.is_empty() { a href={ "/changes/" (job.change.id) } { (job.change.title) } } }
            td { @if let Some(stage) = job.stage { (stage) " " } @if let Some(phase) = job.phase { (phase) } }
            td { (parts::job_state(&job.state)) }
            td.number { @if let Some(code) = job.exit_code { (code) } }
            td { @if let Some(runner) = &job.runner { (runner) } }
            td.number { (job.attempt) }
            td { (parts::lasting(Lasting { from: job.started_at.as_deref(), to: job.finished_at.as_deref() })) }
            td { @if let Some(at) = &job.finished_at { (parts::ago(at)) } }
        } } }
    } } }
}

/// The same search, further back.
fn address(filter: &JobFilter, before: &str) -> String {
    parts::address(
        "/history",
        &[
            ("title", filter.title.as_deref()),
            ("project", filter.project.as_deref()),
            ("runner", filter.runner.as_deref()),
            ("state", filter.state.as_deref()),
            ("before", Some(before)),
        ],
    )
}
