//! A page: what is its own, and what stands around it on all of them.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::bar::{self, Section};
use super::done::{SAID, set_cookie};
use super::viewer::Viewer;

/// Everything comes from here, nothing stands in the page itself, and nobody else shows it in a frame.
pub(super) const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// What a page shows.
pub(super) struct Page {
    pub title: String,
    pub section: Option<Section>,
    /// The inside of `main`; all that changes.
    pub main: Markup,
    /// Modules that this page needs beside those of all pages.
    pub modules: &'static [&'static str],
    /// It has a stream of its own.
    pub live: bool,
    /// It shows a time: after this it is drawn anew, also when nothing has happened.
    pub lasts: Option<Duration>,
}

impl Page {
    /// A page that is kept up to date.
    pub(super) fn live(title: impl Into<String>, section: Section, main: Markup) -> Self {
        Self { title: title.into(), section: Some(section), main, modules: &[], live: true, lasts: None }
    }

    /// A page that stays as it is.
    pub(super) fn still(title: impl Into<String>, section: Option<Section>, main: Markup) -> Self {
        Self { title: title.into(), section, main, modules: &[], live: false, lasts: None }
    }

    pub(super) fn with(self, modules: &'static [&'static str]) -> Self {
        Self { modules, ..self }
    }

    pub(super) fn lasting(self, lasts: Duration) -> Self {
        Self { lasts: Some(lasts), ..self }
    }

    /// The answer for a browser.
    pub(super) fn response(&self, viewer: &Viewer) -> Response {
        let mut response = self.whole(viewer).into_string().into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if viewer.said.is_some() {
            set_cookie(&mut response, SAID, "", "; Max-Age=0");
        }
        response
    }

    fn whole(&self, viewer: &Viewer) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=(viewer.theme.as_str()) data-version=(*assets::VERSION) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Shuntyard" }
                    link rel="icon" type="image/svg+xml" href=(assets::at("icon.svg"));
                    @for sheet in ["base.css", "parts.css", "log.css", "colours.css"] { link rel="stylesheet" href=(assets::at(sheet)); }
                    script type="module" src=(assets::at("app.js")) {}
                    @for module in self.modules { script type="module" src=(assets::at(module)) {} }
                }
                body {
                    a.skip href="#main" { "Skip to content" }
                    @if viewer.caller.is_some() { (bar::bar(viewer, self.section)) }
                    #offline role="status" hidden { "The page has lost its connection to the server and tries again." }
                    main #main tabindex="-1" data-live[self.live] { (self.main) }
                    #toasts role="status" aria-live="polite" {
                        @if let Some(said) = &viewer.said { p.toast { (said) } }
                    }
                }
            }
        }
    }
}
