//! A button that asks before something is lost: opens a form below itself, also without scripts.

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
    let class = if asked.danger { "ask danger" } else { "ask" };
    html! {
        details class=(class) {
            summary.button { (asked.button) }
            form method="post" action=(asked.action) { (inside) }
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
