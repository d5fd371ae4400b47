//! All webhooks, and a new one.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::wire::webhook::WebhookBody;

use super::{HERE, TAB, form, on_or_off, page_of};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::ui::parts;
use crate::http::ui::settings;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(State(api): State<Api>, viewer: Viewer) -> Result<Response, ApiError> {
    let webhooks = api.dispatcher.webhooks().await?;
    let inside = html! {
        @if webhooks.is_empty() {
            (parts::empty(
                "Nobody is told of anything. A webhook posts a signed message to a URL of yours when a job or a runner changes. Here, or:",
                "shunt ctl webhook create chat --url https://chat.example.com/hooks/x --events job.finished",
            ))
        } @else { (table(&webhooks)) }
        h2 { "A new webhook" }
        form method="post" action=(HERE) autocomplete="off" {
            (form::inputs("", "", &[]))
            div.fields {
                label { "Organisation" span.hint { " its jobs and its own runners" }
                    input name="org" placeholder="empty: all" spellcheck="false"; }
                label { "Project" span.hint { " its jobs, no runners" }
                    input name="project" placeholder="empty: all" spellcheck="false"; }
            }
            p.hint { "Its secret, with which each message is signed, is shown once." }
            button.primary { "Make the webhook" }
        }
    };
    Ok(settings::page(&viewer, TAB, &inside))
}

fn table(webhooks: &[WebhookBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "State" } th { "URL" } th { "Events" } th { "Of" } th.number { "Waiting" } th.number { "Given up" } th { "Made" } } }
        tbody { @for webhook in webhooks { tr {
            td { a href=(page_of(&webhook.id)) { (webhook.name) } }
            td { (on_or_off(webhook.enabled)) }
            td.cut title=(webhook.url) { (webhook.url) }
            td { (parts::words(&webhook.events)) }
            td { (whose(webhook)) }
            td.number { (webhook.pending) }
            td.number { (webhook.failed + webhook.dropped) }
            td { (parts::ago(&webhook.created_at)) " by " (webhook.created_by) }
        } } }
    } } }
}

/// Of whose events it hears.
pub(super) fn whose(webhook: &WebhookBody) -> String {
    match (&webhook.org, &webhook.project) {
        (Some(org), Some(project)) => format!("{org}/{project}"),
        (Some(org), None) => org.clone(),
        (None, Some(project)) => format!("project {project}"),
        (None, None) => "all".to_owned(),
    }
}
