//! The pause of the whole queue: said above it, made and ended there.

use axum::extract::State;
use maud::{Markup, html};
use shuntyard_domain::access::Place;
use shuntyard_domain::wire::queue::QueueBody;

use super::done::Done;
use super::fields::Fields;
use super::parts::{self, Ask, ask};
use super::viewer::Viewer;
use crate::http::Api;
use crate::http::access::{Administer, At, Caller, Look, Routes};
use crate::http::error::ApiError;

pub(super) fn routes() -> Routes {
    Routes::new().post("/queue/pause", Administer(At::Enterprise), pause).post(
        "/queue/resume",
        Administer(At::Enterprise),
        resume,
    )
}

/// Who paused it, since when and why; nothing while it is open.
pub(super) fn notice(queue: &QueueBody, viewer: &Viewer) -> Markup {
    let (may, sees_all) =
        (viewer.may(Administer::ROLES, &Place::Enterprise), viewer.may(Look::ROLES, &Place::Enterprise));
    html! { @if queue.paused { section.alarm aria-label="Pause" {
        p {
            strong { "The queue is paused: nothing that waits is started." }
            @if let Some(since) = &queue.since { " Since " (parts::at(since)) }
            @if let Some(by) = &queue.by { " by " (by) }
            @if let Some(reason) = &queue.reason { ": " (reason) }
        }
        @if queue.restored { p { "The data is from a backup. It goes on by itself once every runner was asked what it has." } }
        @if sees_all && !queue.not_asked.is_empty() { p { "Not asked yet: " (queue.not_asked.join(", ")) } }
        @if may { form method="post" action="/queue/resume" { button.primary { "Resume" } } }
    } } }
}

/// The button that pauses it.
pub(super) fn button(queue: &QueueBody, viewer: &Viewer) -> Markup {
    html! { @if !queue.paused && viewer.may(Administer::ROLES, &Place::Enterprise) {
        (ask(&Ask { button: "Pause", danger: false, action: "/queue/pause" }, &html! {
            p { "What runs goes on; nothing that waits is started." }
            label { "Why" input name="reason" maxlength="200" autocomplete="off"; }
            button { "Pause the queue" }
        }))
    } }
}

async fn pause(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    api.dispatcher.pause_queue(caller.name, fields.filled("reason").map(str::to_owned)).await?;
    Ok(Done::at("/queue").saying("The queue is paused."))
}

async fn resume(State(api): State<Api>) -> Result<Done, ApiError> {
    api.dispatcher.resume_queue().await?;
    Ok(Done::at("/queue").saying("The queue is open."))
}
