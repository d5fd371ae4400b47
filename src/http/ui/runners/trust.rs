//! A host that shows another key than the pinned one: what that means, and how its new key is accepted.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::RunnerBody;

use super::page_of;
use super::steps::follow;
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::path::PathHost;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::viewer::Viewer;

/// The alarm on the page of a quarantined runner; nothing on any other.
pub(super) fn alarm(runner: &RunnerBody, may: bool) -> Markup {
    if runner.state != RunnerState::Quarantined {
        return html! {};
    }
    html! {
        section.alarm aria-label="Quarantine" {
            h2 { "This host shows a key that is not pinned" }
            p {
                "Nothing is sent to it until somebody has looked. Either it was installed anew, or another machine answers at its address. "
                "Compare the key on the host itself: " code { "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" }
            }
            @if let Some(reason) = &runner.contact.reason { p.muted { (reason) } }
            p { "Pinned until now:" }
            @for key in &runner.host_keys { p { code { (key) } } }
            @if may {
                form method="post" action={ (page_of(&runner.hostname)) "/accept-host-key" } data-steps="#steps" {
                    label {
                        "Key that you compared (leave it empty to see the one that the host shows now)"
                        input name="host_key" placeholder="SHA256:…" autocomplete="off" spellcheck="false";
                    }
                    button { "Look at the host's key, or accept it" }
                }
            }
        }
    }
}

pub(super) async fn accept(
    State(api): State<Api>,
    caller: Caller,
    viewer: Viewer,
    PathHost(hostname): PathHost,
    fields: Fields,
) -> Result<Response, ApiError> {
    let key = fields.filled("host_key").map(str::to_owned);
    let steps = api.dispatcher.accept_host_key(&hostname, key, caller.name)?;
    let done = Done::at(page_of(&hostname)).saying(format!("The new key of {hostname} is accepted."));
    follow(&api, &viewer, steps, done).await
}
