//! One job: what it is, how it went, and its log.

mod acts;
#[cfg(test)]
mod colours;
mod facts;
mod files;
mod history;
mod log;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use maud::html;
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::JobId;

use super::bar::Section;
use super::page::Page;
use super::viewer::Viewer;
use super::{live, parts, waits};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Act, At, Look, Routes};
use crate::http::error::ApiError;
use crate::http::log_lines::grown;
use crate::http::path::PathId;
use crate::http::query::ApiQuery;

pub(super) fn routes() -> Routes {
    Routes::new().get("/jobs/{id}", Look(At::Job), page).post("/jobs/{id}/cancel", Act(At::Job), acts::cancel)
}

/// The page of a job.
fn page_of(id: JobId) -> String {
    format!("/jobs/{id}")
}

/// What the page reads of its query.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Shown {
    /// The first line of the log that is shown without scripts; they count from 1. Without it the last ones are.
    from: Option<u64>,
}

async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<JobId>,
    ApiQuery(shown): ApiQuery<Shown>,
) -> Result<Response, ApiError> {
    // What keeps it waiting may be another job, a runner or a limit; later only its own news matter.
    let may_wait = Arc::new(AtomicBool::new(true));
    let waited = Arc::clone(&may_wait);
    let matters = move |news: &News| match news {
        News::Job(job) if *job == id => true,
        News::Job(_) | News::Runner(_) | News::Removed(_) | News::Limits => waited.load(Ordering::Relaxed),
        News::Change(_) | News::FanOut(_) | News::Access => false,
    };
    // A log that was removed does not grow.
    let growth = if viewer.live { grown(api.clone(), id).await.ok() } else { None };
    let growth = growth.unwrap_or_else(|| stream::empty().boxed());
    let draw = move |api, viewer| draw(api, viewer, id, shown, Arc::clone(&may_wait));
    live::answer_beside(api, viewer, growth, matters, draw).await
}

async fn draw(api: Api, viewer: Viewer, id: JobId, shown: Shown, may_wait: Arc<AtomicBool>) -> Result<Page, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let body = api.whole_job_body(&job).await?;
    let explained = api.dispatcher.explain(&job).await?;
    may_wait.store(explained.is_some(), Ordering::Relaxed);
    let history = api.job_history(id).await?;
    let files = files::of(&api, &body).await?;
    // A stream only says what changes around the log; the log's own module reads the lines.
    let log = if viewer.live { log::Part::Elsewhere } else { log::part(&api, &job, shown.from).await? };
    let may = viewer.may(Act::ROLES, &Place::of(&body.org, &body.project));
    let main = html! {
        div.top {
            h1 { (body.title) }
            (parts::job_state(&body.state))
            div.right.acts { (acts::acts(&body, may)) }
        }
        p.told { (words::told(&body, history::asked_by(&history))) }
        (facts::short(&body))
        @if let Some(explanation) = &explained { (waits::why(explanation, false)) }
        (facts::alarms(&body))
        (files::section(&body, &files))
        (log::section(&body, &log))
        (history::attempts(&body))
        (facts::all(&body))
        (history::events(&history))
    };
    let section = if job.state.is_finished() { Section::History } else { Section::Queue };
    Ok(Page::live(body.title, section, main).with(&["log.js"]))
}
