//! One webhook: what it hears of, what was sent to it, and what may be done with it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::wire::webhook::WebhookBody;
use uuid::Uuid;

use super::list::whose;
use super::{TAB, deliveries, form, on_or_off, page_of};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathId;
use crate::http::query::ApiQuery;
use crate::http::ui::parts::{self, Ask, ask};
use crate::http::ui::settings;
use crate::http::ui::viewer::Viewer;

const A_PAGE: u32 = 50;

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Older {
    before: Option<Uuid>,
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathId(id): PathId<String>,
    ApiQuery(Older { before }): ApiQuery<Older>,
) -> Result<Response, ApiError> {
    let webhook = api.dispatcher.webhook(&id).await?;
    let sent = api.dispatcher.webhook_deliveries(&id, before.map(|before| before.to_string()), A_PAGE).await?;
    let at = page_of(&id);
    let last = sent.last().filter(|_| sent.len() == A_PAGE as usize);
    let older = last.map(|last| parts::address(&at, &[("before", Some(&last.id))]));
    let inside = html! {
        div.top {
            h2 { (webhook.name) }
            (on_or_off(webhook.enabled))
            div.right.acts { (acts(&at, &webhook)) }
        }
        (facts(&webhook))
        (change(&at, &webhook))
        h2 { "Deliveries" }
        @if sent.is_empty() { (deliveries::none(&webhook, before.is_some())) } @else { (deliveries::table(&at, &sent)) }
        (parts::more(older))
    };
    Ok(settings::page_below(&viewer, TAB, &webhook.name, &inside))
}

fn acts(at: &str, webhook: &WebhookBody) -> Markup {
    let (secret, delete) = (format!("{at}/secret"), format!("{at}/delete"));
    let (turned, word) = if webhook.enabled { ("no", "Switch off") } else { ("yes", "Switch on") };
    html! {
        form method="post" action={ (at) "/test" } { button.primary { "Test" } }
        form method="post" action={ (at) "/switch" } { button name="enabled" value=(turned) { (word) } }
        (ask(&Ask { button: "New secret", danger: false, action: &secret }, &html! {
            p { "Messages are signed with it from now on. A receiver that checks them refuses them until it knows it." }
            button { "Make a new secret" }
        }))
        (ask(&Ask { button: "Delete", danger: true, action: &delete }, &html! {
            p { "What waits for it is not sent any more, and what was sent is forgotten." }
            button.danger { "Delete " (webhook.name) }
        }))
    }
}

fn facts(webhook: &WebhookBody) -> Markup {
    html! { dl.facts {
        dt { "URL" } dd { code { (webhook.url) } }
        dt { "Events" } dd { (parts::words(&webhook.events)) }
        dt { "Of" } dd { (whose(webhook)) }
        dt { "Waiting" } dd { (webhook.pending) }
        dt { "Given up" } dd { (webhook.failed)
            @if webhook.dropped > 0 { ", and " (webhook.dropped) " because too many waited" } }
        dt { "Made" } dd { (parts::at(&webhook.created_at)) " by " (webhook.created_by) }
    } }
}

fn change(at: &str, webhook: &WebhookBody) -> Markup {
    html! { details.edit {
        summary.button { "Edit" }
        form method="post" action={ (at) "/change" } autocomplete="off" {
            (form::inputs(&webhook.name, &webhook.url, &webhook.events))
            p.hint { "Organisation and project stay as they are: make another webhook for others." }
            button.primary { "Save" }
        }
    } }
}
