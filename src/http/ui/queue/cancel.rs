//! The trash can.

use axum::extract::State;
use maud::{Markup, html};
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::outcome::{Outcome, StopReason};
use shuntyard_domain::wire::api::JobBody;

use crate::dispatch::DispatchError;
use crate::http::Api;
use crate::http::access::{Act, Caller};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;

/// The button for all that are ticked, which asks first.
pub(super) fn chosen() -> Markup {
    html! {
        button.danger type="button" popovertarget="ask-chosen" { "Cancel the chosen jobs" }
        div.question #ask-chosen popover role="dialog" aria-label="Cancel the chosen jobs" {
            p { "Those that wait never run. The processes of those that run are asked to end, and killed when they do not." }
            button.danger { "Cancel them" }
        }
    }
}

/// The trash can of one job: what waits leaves at once, what runs when that is confirmed.
pub(super) fn trash(job: &JobBody) -> Markup {
    let waits = job.state == "queued";
    let (asks, label) = (format!("ask-{}", job.id), format!("Cancel {}", job.title));
    let can = html! {
        svg.icon viewBox="0 0 20 20" aria-hidden="true" {
            path d="M4 6h12M8 6V4h4v2M6 6l.7 10h6.600L14 6M8.500 9v4.500M11.500 9v4.500" fill="none" stroke="currentColor" stroke-width="1.500" stroke-linecap="round" {}
        }
    };
    html! {
        @if waits { button.quiet name="only" value=(job.id) aria-label=(label) title="Cancel" { (can) } }
        @else {
            button.quiet type="button" popovertarget=(asks) aria-label=(label) title="Cancel" { (can) }
            div.question #(asks) popover role="dialog" aria-label=(label) {
                p { strong { (job.title) } " runs on " (job.runner.as_deref().unwrap_or("a runner")) "." }
                p { "Its processes are asked to end, and killed when they do not. The log stays." }
                button.danger name="only" value=(job.id) { "Cancel this job" }
            }
        }
    }
}

/// Cancels one job, by its button, or all that are ticked. Nothing is cancelled when one of them may not be.
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let chosen: Vec<&str> = fields.filled("only").map_or_else(|| fields.all("job").collect(), |only| vec![only]);
    if chosen.is_empty() {
        return Err(bad("job", "no job is chosen: tick the ones to cancel".into(), &[]));
    }
    let mut ids = Vec::new();
    for id in chosen {
        let id: JobId = id.parse().map_err(|_| ApiError::NotFound(format!("there is no job `{id}`")))?;
        let job = api.dispatcher.job(id).await?;
        let place = Place::of(&job.origin.org, &job.origin.project);
        if !caller.grants.sees(&place) {
            return Err(DispatchError::NoJob(id).into());
        }
        caller.check(Act::ROLES, &place)?;
        ids.push(id);
    }
    let (mut count, mut ended) = (0, 0);
    for id in ids {
        let job = api.dispatcher.cancel(id, &caller.name, StopReason::User).await?;
        // One that waited has ended by it at once, and bears no request.
        let is_cancelled = job.cancel.is_some() || job.state.name() == Outcome::Cancelled.as_str();
        *if is_cancelled { &mut count } else { &mut ended } += 1;
    }
    let back = if fields.has("back") { fields.local("back") } else { "/queue".into() };
    Ok(Done::at(back).saying(told(count, ended)))
}

fn told(cancelled: u32, ended: u32) -> String {
    let cancelled = match cancelled {
        0 => "No job is cancelled".to_owned(),
        1 => "The job is being cancelled".to_owned(),
        n => format!("{n} jobs are being cancelled"),
    };
    match ended {
        0 => format!("{cancelled}."),
        1 => format!("{cancelled}; one had ended before."),
        n => format!("{cancelled}; {n} had ended before."),
    }
}
