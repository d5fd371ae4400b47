//! The first page: which runner did what in the last hour or day, and how long jobs had to wait.

mod figures;
mod timeline;

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

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
use crate::store::{Connection, JobCounts, JobSpan, StoreError, job_counts, job_spans};
use figures::Figures;

const HOUR_MS: i64 = 3_600_000;
/// More would be no picture.
const MOST_JOBS: usize = 2000;
/// The right end of the picture moves on once in this time.
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
    let now_ms = api.dispatcher.clock().now_ms();
    let to_ms = (now_ms / STEP_MS + 1) * STEP_MS;
    let window = Window { from_ms: to_ms - hours * HOUR_MS, to_ms };
    let within = caller.within(Look::ROLES);
    let read = move |c: &mut Connection| {
        let (within, from_ms) = (within.as_deref(), window.from_ms);
        Ok((job_counts(c, within, from_ms)?, job_spans(c, within, from_ms, MOST_JOBS)?))
    };
    let read: Result<_, StoreError> = api.dispatcher.store().read(read).await;
    let (counts, jobs): (JobCounts, Vec<JobSpan>) = read?;
    let runners = api.runners_known(caller);
    let figures = Figures::of(counts, &jobs, &runners, window);
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
            (timeline::draw(&jobs, &runners, window))
            @if jobs.iter().filter(|job| job.finished_at_ms.is_some()).count() == MOST_JOBS {
                p.muted { "Of the jobs that ended, the picture, the waits and the use are of the last " (MOST_JOBS) "." }
            }
        }
    };
    let lasts = Duration::from_millis(u64::try_from(to_ms - now_ms).unwrap_or(0));
    Ok(Page::live("Overview", Section::Overview, main).lasting(lasts))
}

fn first_steps() -> Markup {
    html! {
        (parts::empty("There is no runner yet. Any host with sshd and a POSIX shell can be one:", "shunt ctl install-runner HOST USER"))
        p { "Or " a href="/add-runner" { "add one here" } ". Then give it something to do: " code { "shunt run -- uname -a" } }
    }
}
