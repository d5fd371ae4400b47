//! The queue: what runs, what waits and why, and the trash can for one job or many.

mod cancel;
mod rows;
mod why;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::ids::JobId;

use super::bar::Section;
use super::page::Page;
use super::viewer::Viewer;
use super::{live, parts, pause};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Act, At, Look, Routes};
use crate::http::error::ApiError;
use crate::http::query::ApiQuery;
use crate::store::{QueuePage, QueueQuery, queue_page};
use why::Why;

/// Running and waiting jobs of a page, each.
const A_PAGE: u32 = 200;

pub(super) fn routes() -> Routes {
    Routes::new().get("/queue", Look(At::Anywhere), page).post("/queue/cancel", Act(At::Anywhere), cancel::cancel)
}

/// What the page reads of its query.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Shown {
    /// The place in the queue of the first waiting job that is shown; they count from 1.
    from: Option<u32>,
    /// The waiting job whose reasons are shown in full.
    why: Option<JobId>,
}

impl Shown {
    fn first(self) -> u32 {
        self.from.unwrap_or(1).max(1)
    }

    /// The same page from another place on, or with the reasons of another job.
    fn address(first: u32, why: Option<JobId>) -> String {
        let (first, why) = ((first > 1).then(|| first.to_string()), why.map(|id| id.to_string()));
        parts::address("/queue", &[("from", first.as_deref()), ("why", why.as_deref())])
    }
}

async fn page(State(api): State<Api>, viewer: Viewer, ApiQuery(shown): ApiQuery<Shown>) -> Result<Response, ApiError> {
    let matters = |news: &News| matches!(news, News::Job(_) | News::Runner(_) | News::Removed(_) | News::Limits);
    live::answer(api, viewer, matters, move |api, viewer| draw(api, viewer, shown)).await
}

async fn draw(api: Api, viewer: Viewer, shown: Shown) -> Result<Page, ApiError> {
    let within = viewer.known()?.within(Look::ROLES);
    let query = QueueQuery { within, skip: shown.first() - 1, limit: A_PAGE };
    let page: QueuePage = api.dispatcher.store().read(move |c| queue_page(c, &query)).await?;
    let QueuePage { counts, placed, waiting } = page;
    let why = Why::of(&api, &waiting, shown).await?;
    let (running, waiting) = (api.job_bodies(&placed).await?, api.job_bodies(&waiting).await?);
    let standing = api.dispatcher.queue_standing();
    let main = html! {
        div.top {
            h1 { "Queue" }
            span.muted { (counts.placed) " running, " (counts.waiting) " waiting" }
            div.right { (pause::button(&standing, &viewer)) }
        }
        (pause::notice(&standing, &viewer))
        @if counts.placed + counts.waiting == 0 {
            (parts::empty("Nothing waits and nothing runs. A first job on any runner:", "shunt run -- uname -a"))
        } @else {
            form #queue method="post" action="/queue/cancel" {
                // Enter in a box presses the first button of a form: this one sends nothing.
                button formmethod="dialog" hidden { "Nothing" }
                input type="hidden" name="back" value=(viewer.address);
                (rows::table(&running, &waiting, &viewer, &why))
                @if running.len() == A_PAGE as usize { p.muted { "Of those that run, the newest " (A_PAGE) "." } }
                (turns(shown.first(), counts.waiting))
                @if viewer.may_somewhere(Act::ROLES) { p { (cancel::chosen()) } }
            }
        }
    };
    Ok(Page::live("Queue", Section::Queue, main))
}

/// Which part of those that wait is shown, and the ways to the others.
fn turns(first: u32, waiting: i64) -> Markup {
    let behind = first.saturating_add(A_PAGE);
    html! { @if first > 1 || waiting >= i64::from(behind) {
        p.more.acts {
            span.muted { "From place " (first) " of " (waiting) ", in the order in which they are served." }
            @if first > 1 { a.button href=(Shown::address(first.saturating_sub(A_PAGE), None)) rel="prev" { "Sooner" } }
            @if waiting >= i64::from(behind) { a.button href=(Shown::address(behind, None)) rel="next" { "Later" } }
        }
    } }
}
