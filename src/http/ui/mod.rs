//! The web page: HTML made here, complete without scripts; with them a page is kept up to date by one stream of its own.
//!
//! A page is a function from what is stored to markup (`Page`). `live::answer` calls it once for a browser that asks for
//! HTML, and again at each change for one that asks for events at the same address. What people do are forms; each posts to
//! a route of its own, calls what the API's handler calls, and leads back to a page (`Done`).

mod assets;
mod bar;
mod changes;
mod done;
mod errors;
mod fields;
mod history;
mod job;
mod live;
mod overview;
mod own_url;
mod page;
mod parts;
mod past;
mod pause;
mod queue;
mod runners;
mod session;
mod settings;
mod theme;
mod viewer;
mod waits;

use super::access::{Open, Routes, SignedIn};

pub(super) use errors::as_pages;
pub(super) use session::SESSION;

/// The keys that a page reads of its query.
pub(super) fn keys_of(route: &str) -> &'static [&'static str] {
    match route {
        "/login" => &["next"],
        "/" => &["hours"],
        "/runners" => &["filter", "view"],
        "/queue" => &["from", "why"],
        "/jobs/{id}" => &["from"],
        "/changes" => &["project", "state", "before"],
        "/new-change" => &["from"],
        "/history" => &["state", "project", "title", "runner", "before", "limit"],
        route => settings::keys_of(route),
    }
}

/// The table of pages and of what their forms do.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/login", Open, session::show)
        .post("/login", Open, session::log_in)
        .post("/logout", SignedIn, session::log_out)
        .post("/theme", Open, theme::choose)
        .get("/assets/{version}/{*path}", Open, assets::serve)
        .and(runners::routes())
        .and(queue::routes())
        .and(pause::routes())
        .and(job::routes())
        .and(changes::routes())
        .and(past::routes())
        .and(overview::routes())
        .and(settings::routes())
}
