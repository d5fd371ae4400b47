//! Settings: who may come in, what they may, what jobs are handed, who is told.

mod audit;
mod enrolment;
mod grants;
mod pools;
mod secrets;
mod tokens;
mod users;
mod webhooks;

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use shuntyard_domain::access::Place;

use super::bar::Section;
use super::done::Done;
use super::page::Page;
use super::viewer::Viewer;
use crate::http::access::{Administer, At, Routes, SignedIn};

pub(super) fn routes() -> Routes {
    let admin = || Administer(At::Enterprise);
    Routes::new()
        .get("/settings", SignedIn, first)
        .get("/settings/tokens", SignedIn, tokens::page)
        .post("/settings/tokens", SignedIn, tokens::create)
        .post("/settings/tokens/{id}/revoke", SignedIn, tokens::revoke)
        .post("/settings/password", SignedIn, tokens::password)
        .get("/settings/users", admin(), users::page)
        .post("/settings/users", admin(), users::create)
        .post("/settings/users/{user}/change", admin(), users::change)
        .post("/settings/users/{user}/delete", admin(), users::delete)
        .get("/settings/enrolment", admin(), enrolment::page)
        .post("/settings/enrolment/{id}/revoke", admin(), enrolment::revoke)
        .get("/settings/secrets", Administer(At::Anywhere), secrets::page)
        .post("/settings/secrets", Administer(At::Anywhere), secrets::set)
        .post("/settings/secrets/delete", Administer(At::Anywhere), secrets::delete)
        .get("/settings/audit", admin(), audit::page)
        .and(pools::routes())
        .and(webhooks::routes())
}

/// The keys that its pages read of their queries.
pub(super) fn keys_of(route: &str) -> &'static [&'static str] {
    match route {
        "/settings/audit" => &["actor", "subject", "action", "before"],
        "/settings/secrets" => &["org", "project"],
        "/settings/webhooks/{id}" => &["before"],
        _ => &[],
    }
}

async fn first() -> Response {
    Done::at("/settings/tokens").into_response()
}

/// Whom a page is for.
#[derive(Clone, Copy)]
enum For {
    All,
    /// Of the enterprise.
    Admins,
    AdminsOfAnything,
}

/// The pages of the settings.
const TABS: [(&str, &str, For); 7] = [
    ("/settings/tokens", "Tokens", For::All),
    ("/settings/users", "Users", For::Admins),
    ("/settings/enrolment", "Enrolment", For::Admins),
    ("/settings/secrets", "Secrets", For::AdminsOfAnything),
    ("/settings/audit", "Audit log", For::Admins),
    ("/settings/pools", "Pools", For::Admins),
    ("/settings/webhooks", "Webhooks", For::Admins),
];

/// A page of the settings.
fn page(viewer: &Viewer, tab: &str, inside: &Markup) -> Response {
    page_below(viewer, tab, tab, inside)
}

/// A page about one of those that a tab lists.
fn page_below(viewer: &Viewer, tab: &str, title: &str, inside: &Markup) -> Response {
    let is_for = |whom| match whom {
        For::All => true,
        For::Admins => viewer.may(Administer::ROLES, &Place::Enterprise),
        For::AdminsOfAnything => viewer.may_somewhere(Administer::ROLES),
    };
    let main = html! {
        h1 { "Settings" }
        nav aria-label="Settings" { ul.tabs {
            @for (href, name, _) in TABS.into_iter().filter(|(.., whom)| is_for(*whom)) {
                li { a href=(href) aria-current=[(name == tab).then_some("page")] { (name) } }
            }
        } }
        (inside)
    };
    Page::still(title, Some(Section::Settings), main).response(viewer)
}

/// Something that is shown once.
struct Once<'a> {
    title: &'a str,
    /// What it is.
    what: &'a str,
    secret: &'a str,
    /// Where it goes.
    hint: &'a str,
    /// The way back.
    back: &'a str,
}

fn once(viewer: &Viewer, shown: &Once<'_>) -> Response {
    let main = html! {
        h1 { (shown.what) }
        div.once {
            p { strong { "This is the only time that it is shown." } }
            pre.command { (shown.secret) }
            p.hint { (shown.hint) }
        }
        p { a.button href=(shown.back) { "Back" } }
    };
    Page::still(shown.title, Some(Section::Settings), main).response(viewer)
}
