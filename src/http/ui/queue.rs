//! The queue: what runs, what waits and why, and the trash can for one job or many.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::Job;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::api::JobBody;

use super::bar::Section;
use super::done::Done;
use super::fields::Fields;
use super::page::Page;
use super::viewer::Viewer;
use super::{live, parts, pause};
use crate::dispatch::News;
use crate::http::Api;
use crate::http::access::{Act, At, Caller, Look, Routes};
use crate::http::error::ApiError;
use crate::http::jobs::JobFilter;
use crate::http::pages::{MAX_PAGE, bad};
use crate::store::job_page;

/// Different reasons that are asked for at a time: the board looks at every runner for each.
const MAX_REASONS: usize = 20;

pub(super) fn routes() -> Routes {
    Routes::new().get("/queue", Look(At::Anywhere), page).post("/queue/cancel", Act(At::Anywhere), cancel)
}

async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let matters = |news: &News| matches!(news, News::Job(_) | News::Runner(_) | News::Removed(_) | News::Limits);
    live::answer(api, viewer, matters, draw).await
}

async fn draw(api: Api, viewer: Viewer) -> Result<Page, ApiError> {
    let query = JobFilter { limit: Some(MAX_PAGE), ..JobFilter::default() }.query(&api, viewer.known()?)?;
    let jobs: Vec<Job> = api.dispatcher.store().read(move |c| job_page(c, &query)).await?;
    let reasons = reasons(&api, &jobs).await?;
    let bodies = api.job_bodies(&jobs).await?;
    let full = bodies.len() == MAX_PAGE as usize;
    let (mut waiting, running): (Vec<_>, Vec<_>) = bodies.into_iter().partition(|job| job.state == "queued");
    // As they are served: by priority, then in the order of their submission.
    waiting.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.id.cmp(&b.id)));
    let standing = api.dispatcher.queue_standing();
    let main = html! {
        div.top {
            h1 { "Queue" }
            span.muted { (running.len()) " running, " (waiting.len()) " waiting" @if full { ", of the newest " (MAX_PAGE) } }
            div.right { (pause::button(&standing, &viewer)) }
        }
        (pause::notice(&standing, &viewer))
        @if waiting.is_empty() && running.is_empty() {
            (parts::empty("Nothing waits and nothing runs. A first job on any runner:", "shunt run -- uname -a"))
        } @else {
            form #queue method="post" action="/queue/cancel" {
                h2 { "Running" }
                @if running.is_empty() { p.muted { "Nothing runs." } } @else { (table(&running, &viewer, &HashMap::new())) }
                h2 { "Waiting" }
                @if waiting.is_empty() { p.muted { "Nothing waits." } } @else { (table(&waiting, &viewer, &reasons)) }
                @if may_any(&viewer) { p { button.danger { "Cancel the chosen jobs" } } }
            }
        }
    };
    Ok(Page::live("Queue", Section::Queue, main))
}

/// Why each waiting job waits, in a sentence; asked once for those that differ in nothing that matters for it.
async fn reasons(api: &Api, jobs: &[Job]) -> Result<HashMap<JobId, String>, ApiError> {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut reasons = HashMap::new();
    for job in jobs.iter().filter(|job| job.state.name() == "queued") {
        let group = job.spec.concurrency.as_ref().map(|concurrency| &concurrency.group);
        let alike = format!("{} {} {} {group:?}", job.filter.canonical(), job.origin.org, job.origin.project);
        if !known.contains_key(&alike) && known.len() < MAX_REASONS {
            let told = api.dispatcher.explain(job).await?;
            known.insert(alike.clone(), told.map(|told| told.summary).unwrap_or_default());
        }
        if let Some(reason) = known.get(&alike) {
            reasons.insert(job.id, reason.clone());
        }
    }
    Ok(reasons)
}

fn may_any(viewer: &Viewer) -> bool {
    viewer.caller.as_ref().is_some_and(|caller| caller.within(Act::ROLES).is_none_or(|places| !places.is_empty()))
}

fn table(jobs: &[JobBody], viewer: &Viewer, reasons: &HashMap<JobId, String>) -> Markup {
    html! { div.table { table {
        thead { tr {
            th { span.unseen { "Choose" } } th { "Job" } th { "Project" } th { "Change" } th { "Stage, phase" } th { "State" } th { "Runner" }
            th { "Filter" } th.number { "Priority" } th { "Since" } th { span.unseen { "Cancel" } }
        } }
        tbody { @for job in jobs { (row(job, viewer, reasons.get(&job.id))) } }
    } } }
}

fn row(job: &JobBody, viewer: &Viewer, reason: Option<&String>) -> Markup {
    let may = viewer.may(Act::ROLES, &Place::of(&job.org, &job.project));
    let since =
        if job.state == "queued" { &job.created_at } else { job.started_at.as_ref().unwrap_or(&job.created_at) };
    html! { tr #{ "j-" (job.id) } {
        td { @if may { input type="checkbox" name="job" value=(job.id) aria-label={ "Choose " (job.title) }; } }
        td {
            a href={ "/jobs/" (job.id) } { (job.title) }
            @if let Some(reason) = reason { div.muted.reason { a href={ "/jobs/" (job.id) "#why" } { "why" } " " (reason) } }
        }
        td { (job.project) }
        td { @if !job.change.id.is_empty() { a href={ "/changes/" (job.change.id) } { (job.change.title) } } }
        td { @if let Some(stage) = job.stage { (stage) " " } @if let Some(phase) = job.phase { (phase) } }
        td { (parts::job_state(&job.state)) @if job.cancel_requested_at.is_some() { div.muted { "is being cancelled" } } }
        td { @if let Some(runner) = &job.runner { a href={ "/runners/" (runner) } { (runner) } } }
        td { code { (job.filter) } }
        td.number { (job.priority) }
        td { (parts::elapsed(since)) }
        td { @if may && job.cancel_requested_at.is_none() {
            button.quiet name="only" value=(job.id) aria-label={ "Cancel " (job.title) } title="Cancel" {
                svg.icon viewBox="0 0 20 20" aria-hidden="true" {
                    path d="M4 6h12M8 6V4h4v2M6 6l.7 10h6.600L14 6M8.500 9v4.500M11.500 9v4.500" fill="none" stroke="currentColor" stroke-width="1.500" stroke-linecap="round" {}
                }
            }
        } }
    } }
}

/// Cancels one job, by its button, or all that are ticked.
async fn cancel(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let chosen: Vec<&str> = fields.filled("only").map_or_else(|| fields.all("job").collect(), |only| vec![only]);
    if chosen.is_empty() {
        return Err(bad("job", "no job is chosen: tick the ones to cancel".into(), &[]));
    }
    let mut count = 0;
    for id in chosen {
        let id: JobId = id.parse().map_err(|_| ApiError::NotFound(format!("there is no job `{id}`")))?;
        let job = api.dispatcher.job(id).await?;
        caller.check(Act::ROLES, &Place::of(&job.origin.org, &job.origin.project))?;
        api.dispatcher.cancel(id, &caller.name, StopReason::User).await?;
        count += 1;
    }
    let back = fields.local("back");
    let back = if fields.has("back") { back } else { "/queue".into() };
    Ok(Done::at(back).saying(if count == 1 {
        "The job is being cancelled.".into()
    } else {
        format!("{count} jobs are being cancelled.")
    }))
}
