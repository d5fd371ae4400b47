//! The runners: all of them, one, a new one, and what is done to them.

mod acts;
mod add;
mod jobs;
mod list;
mod one;
mod probes;
mod steps;
mod trust;

use crate::http::access::{Administer, At, Look, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/runners", Look(At::Anywhere), list::page)
        .get("/add-runner", Administer(At::Enterprise), add::page)
        .post("/add-runner", Administer(At::Enterprise), add::add)
        .post("/add-runner/token", Administer(At::Enterprise), add::token)
        .get("/runners/{hostname}", Look(At::Runner), one::page)
        .post("/runners/{hostname}/test", Look(At::Runner), acts::test)
        .post("/runners/{hostname}/state", Administer(At::Runner), acts::state)
        .post("/runners/{hostname}/change", Administer(At::Runner), acts::change)
        .post("/runners/{hostname}/delete", Administer(At::Runner), acts::delete)
        .post("/runners/{hostname}/approve", Administer(At::Runner), acts::approve)
        .post("/runners/{hostname}/accept-host-key", Administer(At::Runner), trust::accept)
}

/// The page of a runner.
pub(super) fn page_of(hostname: &str) -> String {
    format!("/runners/{hostname}")
}
