//! Changes on their way through the pipeline.

mod acts;
mod config;
mod list;
mod matrix;
mod new;
mod one;
mod plan;

use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::stage::Status;
use shuntyard_domain::wire::change::ChangeBody;

use super::bar::Section;
use super::page::Page;
use super::parts::{Tone, state};
use super::viewer::Viewer;
use crate::http::access::{Act, At, Commit, Look, Review, Routes, Ship, Trigger};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/changes", Look(At::Anywhere), list::page)
        .get("/changes/{id}", Look(At::Change), one::page)
        .get("/new-change", Commit(At::Anywhere), new::page)
        .post("/new-change", Commit(At::Anywhere), new::submit)
        .get("/changes/{id}/config", Look(At::Change), config::page)
        .get("/changes/{id}/plan", Look(At::Change), plan::page)
        .post("/changes/{id}/approve", Review(At::Change), acts::approve)
        .post("/changes/{id}/deliver", Ship(At::Change), acts::deliver)
        .post("/changes/{id}/trigger/{stage}", Trigger(At::Change), acts::trigger)
        .post("/changes/{id}/cancel", Act(At::Change), acts::cancel)
        .post("/changes/{id}/close", Commit(At::Change), acts::close)
}

/// A page about a change, with the ways to its others; `what` begins its title.
fn below(viewer: &Viewer, change: &ChangeBody, what: &str, inside: &Markup) -> Response {
    let title = format!("{what} of {}", change.title);
    let at = format!("/changes/{}", change.id);
    let main = html! {
        h1 { (title) }
        p { a href=(at) { "Back to the change" } " · " a href={ (at) "/plan" } { "What it would do (plan)" }
            " · " a href={ (at) "/config" } { "Configuration" } }
        (inside)
    };
    Page::still(title, Some(Section::Changes), main).response(viewer)
}

/// Of a row, a phase or a stage.
fn status(status: Status) -> Markup {
    let tone = match status {
        Status::Idle => Tone::Calm,
        Status::Running => Tone::Busy,
        Status::Passed => Tone::Good,
        Status::Failed => Tone::Bad,
        Status::Skipped => Tone::Off,
    };
    state(tone, status.as_str())
}
