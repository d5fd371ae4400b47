//! What takes a while: its steps as they come for a page that can show them, else its end.

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use shuntyard_domain::wire::api::{RunnerBody, StepEvent};
use tokio::sync::mpsc;

use super::page_of;
use crate::http::error::ApiError;
use crate::http::ui::done::Done;
use crate::http::ui::viewer::Viewer;
use crate::http::{Api, runners, steps};

/// Answers with a stream of the steps to who asks for it; else waits, and leads to `done`.
///
/// # Errors
/// `StepFailed`, and `BadRequest` when a host's key has to be confirmed.
pub(super) async fn follow(
    api: &Api,
    viewer: &Viewer,
    told: mpsc::UnboundedReceiver<StepEvent>,
    done: Done,
) -> Result<Response, ApiError> {
    if viewer.live {
        return Ok(steps::answer(told, api.dispatcher.stop_signal()).into_response());
    }
    runners::wait_for_end(told).await?;
    Ok(done.into_response())
}

/// The button that tests a runner.
pub(super) fn test(runner: &RunnerBody) -> Markup {
    let (action, what) = (format!("{}/test", page_of(&runner.hostname)), format!("Test of {}", runner.hostname));
    html! {
        form method="post" action=(action) data-steps="#steps" data-what=(what) {
            button aria-label={ "Test " (runner.hostname) } { "Test" }
        }
    }
}

/// Where the page's module writes the steps of a form with `data-steps="#steps"`; `above` the page, when that is long.
pub(super) fn place(above: bool) -> Markup {
    html! {
        div #steps.steps.question[above] popover=[above.then_some("auto")] data-own role="log" aria-label="Steps" {
            @if above { button type="button" popovertarget="steps" popovertargetaction="hide" { "Close" } }
        }
    }
}
