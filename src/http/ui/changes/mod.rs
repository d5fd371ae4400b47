//! Changes on their way through the pipeline.

mod acts;
mod config;
mod list;
mod matrix;
mod new;
mod one;
mod plan;

use maud::Markup;
use shuntyard_domain::stage::Status;

use super::parts::{Tone, state};
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
