//! What takes a while: its steps as they come for a page that can show them, else its end.

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use shuntyard_domain::wire::api::StepEvent;
use tokio::sync::mpsc;

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

/// Where the page's module writes the steps of a form with `data-steps="#steps"`.
pub(super) fn place() -> Markup {
    html! { div #steps.steps data-own role="log" aria-label="Steps" {} }
}
