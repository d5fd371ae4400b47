//! A button that asks before something is lost: opens a form above the page, also without scripts.

use maud::{Markup, html};

/// What is asked, and how it looks.
pub(in crate::http::ui) struct Ask<'a> {
    pub button: &'a str,
    /// What is lost by it.
    pub danger: bool,
    pub action: &'a str,
}

/// `inside` are the form's fields and its button.
pub(in crate::http::ui) fn ask(asked: &Ask<'_>, inside: &Markup) -> Markup {
    question(asked, "", None, inside)
}

/// What takes steps, which are shown on the page, and leads away from it.
pub(in crate::http::ui) struct Leaving<'a> {
    /// Stands above the steps.
    pub what: &'a str,
    /// What the next page says.
    pub said: &'a str,
}

/// As `ask`, where several of the same button send to one address: `about` tells them apart.
pub(in crate::http::ui) fn ask_about(asked: &Ask<'_>, about: &str, inside: &Markup) -> Markup {
    question(asked, about, None, inside)
}

/// As `ask`, for the end of what the page is about.
pub(in crate::http::ui) fn ask_to_leave(asked: &Ask<'_>, leaving: &Leaving<'_>, inside: &Markup) -> Markup {
    question(asked, "", Some(leaving), inside)
}

fn question(asked: &Ask<'_>, about: &str, leaving: Option<&Leaving<'_>>, inside: &Markup) -> Markup {
    let (what, said) = leaving.map(|leaving| (leaving.what, leaving.said)).unzip();
    let id = format!("{}:{}:{about}", asked.action, asked.button).replace(' ', "-");
    html! {
        button.danger[asked.danger] type="button" popovertarget=(id) data-key={ "ask " (id) } { (asked.button) }
        div.question #(id) popover role="dialog" aria-label=(asked.button) {
            form method="post" action=(asked.action) data-steps=[what.map(|_| "#steps")] data-what=[what] data-said=[said] { (inside) }
        }
    }
}

/// Ways of which one is chosen: its word in the form, and what it means. The first one is, unless somebody chooses.
pub(in crate::http::ui) fn ways(name: &str, ways: &[(&str, &str)]) -> Markup {
    html! {
        @for (n, (value, means)) in ways.iter().enumerate() {
            label { input type="radio" name=(name) value=(value) checked[n == 0]; " " (means) }
        }
    }
}
