//! The first page: which runner did what in the last hour or day, and how long jobs had to wait.

mod figures;
mod timeline;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::wire::api::RunnerBody;

use super::bar::Section;
use super::page::Page;
use super::viewer::Viewer;
use super::{live, parts};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{At, Look, Routes};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::query::ApiQuery;
use crate::store::{JobSpan, job_spans};
use figures::Figures;

const HOUR_MS: i64 = 3_600_000;
/// More would be no picture.
const MOST_JOBS: i64 = 2000;
/// The right end of the picture moves on once in this time: between, nothing has to be drawn anew.
const STEP_MS: i64 = 30_000;

pub(super) fn routes() -> Routes {
    Routes::new().get("/", Look(At::Anywhere), page)
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Span {
    hours: Option<i64>,
}

/// What the picture shows: from when to when.
#[derive(Clone, Copy)]
struct Window {
    from_ms: i64,
    to_ms: i64,
}

async fn page(State(api): State<Api>, viewer: Viewer, ApiQuery(span): ApiQuery<Span>) -> Result<Response, ApiError> {
    let hours = span.hours.unwrap_or(1);
    if !(1..=24).contains(&hours) {
        return Err(bad("hours", format!("{hours} hours"), &["1 to 24"]));
    }
    let matters = |news: &News| matches!(news, News::Job(_) | News::Runner(_) | News::Removed(_));
    live::answer(api, viewer, matters, move |api, viewer| draw(api, viewer, hours)).await
}

async fn draw(api: Api, viewer: Viewer, hours: i64) -> Result<Page, ApiError> {
    let caller = viewer.known()?;
    let to_ms = (api.dispatcher.clock().now_ms() / STEP_MS + 1) * STEP_MS;
    let window = Window { from_ms: to_ms - hours * HOUR_MS, to_ms };
    let within = caller.within(crate::http::access::Look::ROLES);
    let jobs: Vec<JobSpan> =
        api.dispatcher.store().read(move |c| job_spans(c, within.as_deref(), window.from_ms, MOST_JOBS)).await?;
    let runners = api.runners_seen(caller).await?;
    let figures = Figures::of(&jobs, &runners, window);
    let main = html! {
        div.top {
            h1 { "Overview" }
            ul.tabs {
                @for (n, word) in [(1, "Last hour"), (6, "6 hours"), (24, "Last day")] {
                    li { a href={ "/?hours=" (n) } aria-current=[(n == hours).then_some("page")] { (word) } }
                }
            }
        }
        (figures.cards())
        @if runners.is_empty() { (first_steps()) } @else {
            h2 { "Runners and their jobs" }
            (timeline::draw(&jobs, &names(&runners), window))
            @if jobs.len() == usize::try_from(MOST_JOBS).unwrap_or(0) { p.muted { "The newest " (MOST_JOBS) " jobs." } }
        }
    };
    Ok(Page::live("Overview", Section::Overview, main))
}

fn names(runners: &[RunnerBody]) -> Vec<String> {
    runners.iter().map(|runner| runner.hostname.clone()).collect()
}

fn first_steps() -> Markup {
    html! {
        (parts::empty("There is no runner yet. Any host with sshd and a POSIX shell can be one:", "shunt ctl install-runner HOST USER"))
        p { "Or " a href="/add-runner" { "add one here" } ". Then give it something to do: " code { "shunt run -- uname -a" } }
    }
}
