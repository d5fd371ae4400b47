//! What may be done to a job.

use axum::extract::State;
use maud::{Markup, html};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::api::JobBody;

use super::page_of;
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::done::Done;
use crate::http::ui::parts::{Ask, ask};

pub(super) fn acts(job: &JobBody, may: bool) -> Markup {
    let action = format!("{}/cancel", page_of(job.id));
    let started = job.state != "queued";
    html! {
        @if may && job.outcome.is_none() && job.cancel_requested_at.is_none() {
            (ask(
                &Ask { button: "Cancel", danger: true, action: &action },
                &html! {
                    @if started { p { "Its processes are asked to end, and killed when they do not. The log stays." } }
                    @else { p { "It leaves the queue and never runs." } }
                    button.danger { "Cancel this job" }
                },
            ))
        }
    }
}

pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<Done, ApiError> {
    api.dispatcher.cancel(id, &caller.name, StopReason::User).await?;
    Ok(Done::at(page_of(id)).saying("The job is being cancelled."))
}
