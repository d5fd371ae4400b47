//! The bar on top of every page: where one can go, and who one is.

use maud::{Markup, html};

use super::viewer::Viewer;

/// The pages of the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Queue,
    Runners,
    Changes,
    History,
    Settings,
}

impl Section {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Overview, "/", "Overview"),
        (Self::Queue, "/queue", "Queue"),
        (Self::Runners, "/runners", "Runners"),
        (Self::Changes, "/changes", "Changes"),
        (Self::History, "/history", "History"),
        (Self::Settings, "/settings", "Settings"),
    ];
}

pub(super) fn bar(viewer: &Viewer, here: Option<Section>) -> Markup {
    html! {
        header.bar {
            a.brand href="/" { "Shuntyard" }
            nav aria-label="Pages" { ul {
                @for (section, href, name) in Section::ALL {
                    li { a href=(href) aria-current=[(here == Some(section)).then_some("page")] { (name) } }
                }
            } }
            div.me {
                form method="post" action="/theme" data-plain {
                    input type="hidden" name="back" value=(viewer.address);
                    button.quiet name="theme" value=(viewer.theme.next().as_str()) {
                        "Colours: " (viewer.theme.as_str())
                    }
                }
                span.who { (viewer.name()) }
                form method="post" action="/logout" data-plain { button.quiet { "Log out" } }
            }
        }
    }
}
