//! Webhooks: who is told of what.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::webhook::WebhookEvent;
use shuntyard_domain::wire::webhook::{CreateWebhook, PatchWebhook, WebhookBody};

use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::parts::{self, Ask, Tone, ask, state};
use crate::http::ui::viewer::Viewer;

const HERE: &str = "/settings/webhooks";

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let webhooks = api.dispatcher.webhooks().await?;
    let inside = html! {
        @if webhooks.is_empty() { (parts::empty("Nobody is told of anything. On the command line:", "shunt webhook create NAME URL --event job.finished")) }
        @else { (table(&webhooks)) }
        h2 { "A new webhook" }
        form method="post" action=(HERE) {
            label { "Name" input name="name" required maxlength="64" spellcheck="false"; }
            label { "URL" input type="url" name="url" required placeholder="https://…" spellcheck="false"; }
            fieldset { legend { "Events" }
                @for event in WebhookEvent::ALL { label { input type="checkbox" name="event" value=(event); " " code { (event) } } }
            }
            button.primary { "Add it" }
            p.hint { "Its secret, with which each message is signed, is shown once." }
        }
    };
    Ok(super::page(&viewer, "Webhooks", &inside))
}

fn table(webhooks: &[WebhookBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "URL" } th { "Events" } th { "State" } th.number { "Waiting" } th.number { "Given up" } th { span.unseen { "Actions" } } } }
        tbody { @for webhook in webhooks { tr {
            td { (webhook.name) }
            td.cut title=(webhook.url) { (webhook.url) }
            td { (parts::words(&webhook.events)) }
            td { @if webhook.enabled { (state(Tone::Good, "on")) } @else { (state(Tone::Off, "off")) } }
            td.number { (webhook.pending) }
            td.number { (webhook.failed + webhook.dropped) }
            td { div.acts { (acts(webhook)) } }
        } } }
    } } }
}

fn acts(webhook: &WebhookBody) -> Markup {
    let at = format!("{HERE}/{}", webhook.id);
    let delete = format!("{at}/delete");
    html! {
        form method="post" action={ (at) "/test" } { button { "Test" } }
        form method="post" action={ (at) "/switch" } {
            input type="hidden" name="enabled" value=(if webhook.enabled { "no" } else { "yes" });
            button { @if webhook.enabled { "Switch off" } @else { "Switch on" } }
        }
        (ask(&Ask { button: "Delete", danger: true, action: &delete }, &html! {
            p { "What waits for it is not sent any more." }
            button.danger { "Delete " (webhook.name) }
        }))
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    viewer: Viewer,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let wanted = CreateWebhook {
        name: fields.text("name")?,
        url: fields.text("url")?,
        events: fields.all("event").map(str::to_owned).collect(),
        org: None,
        project: None,
        enabled: true,
    };
    let made = api.dispatcher.create_webhook(wanted, &caller.name).await?;
    Ok(super::once(&viewer, "A webhook", &format!("The secret of the webhook {}", made.about.name), &made.secret, HERE))
}

pub(super) async fn test(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Done, ApiError> {
    let told = api.dispatcher.ping_webhook(&id).await?;
    let status = told.status.map(|status| format!(" (status {status})")).unwrap_or_default();
    let sentence = match told.error {
        Some(why) => format!("The receiver did not take the message: {why}{status}"),
        None => format!("The receiver took the message{status}."),
    };
    Ok(Done::at(HERE).saying(sentence))
}

pub(super) async fn switch(
    State(api): State<Api>,
    PathId(id): PathId<String>,
    fields: Fields,
) -> Result<Done, ApiError> {
    let enabled = fields.filled("enabled") == Some("yes");
    api.dispatcher.patch_webhook(&id, PatchWebhook { enabled: Some(enabled), ..PatchWebhook::default() }).await?;
    Ok(Done::at(HERE).saying(if enabled { "The webhook is on." } else { "The webhook is off." }))
}

pub(super) async fn delete(State(api): State<Api>, PathId(id): PathId<String>) -> Result<Done, ApiError> {
    api.dispatcher.delete_webhook(&id).await?;
    Ok(Done::at(HERE).saying("The webhook is deleted."))
}
