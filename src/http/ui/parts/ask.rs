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

/// As `ask`, where several of the same button send to one address: `about` tells them apart.
pub(in crate::http::ui) fn ask_about(asked: &Ask<'_>, about: &str, inside: &Markup) -> Markup {
    question(asked, about, None, inside)
}

/// As `ask`, for what takes steps, which are shown on the page below the words of `what`.
pub(in crate::http::ui) fn ask_in_steps(asked: &Ask<'_>, what: &str, inside: &Markup) -> Markup {
    question(asked, "", Some(what), inside)
}

fn question(asked: &Ask<'_>, about: &str, what: Option<&str>, inside: &Markup) -> Markup {
    let id = format!("{}:{}:{about}", asked.action, asked.button).replace(' ', "-");
    html! {
        button.danger[asked.danger] type="button" popovertarget=(id) data-key={ "ask " (id) } { (asked.button) }
        div.question #(id) popover role="dialog" aria-label=(asked.button) {
            form method="post" action=(asked.action) data-steps=[what.map(|_| "#steps")] data-what=[what] { (inside) }
        }
    }
}
