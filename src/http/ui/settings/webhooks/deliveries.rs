//! What was sent to a webhook, newest first.

use maud::{Markup, html};
use shuntyard_domain::wire::webhook::{DeliveryBody, WebhookBody};

use crate::http::ui::parts::{self, Tone, state};

/// `at` is the webhook's page.
pub(super) fn table(at: &str, sent: &[DeliveryBody]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Event" } th { "State" } th { "When" } th.number { "Tries" } th { "Last try" } th.number { "Status" } th { "Error" }
            th { "Next try" } th { span.unseen { "Send again" } } } }
        tbody { @for one in sent { tr #{ "d-" (one.id) } {
            td title=(one.id) { code { (one.event) } }
            td { (of_state(&one.state)) }
            td { (parts::at(&one.created_at)) }
            td.number { (one.attempts) }
            td { @if let Some(at) = &one.last_at { (parts::ago(at)) } }
            td.number { @if let Some(status) = one.last_status { (status) } }
            td { @if let Some(error) = &one.last_error { div.cut title=(error) { (error) } } }
            td { @if let Some(at) = &one.next_try_at { (parts::at(at)) } }
            td { form method="post" action={ (at) "/deliveries/" (one.id) "/redeliver" } {
                button { "Send again" span.unseen { " " (one.event) " of " (one.created_at) } }
            } }
        } } }
    } } }
}

fn of_state(word: &str) -> Markup {
    let tone = match word {
        "pending" => Tone::Busy,
        "delivered" => Tone::Good,
        _ => Tone::Bad,
    };
    state(tone, word)
}

/// What stands in place of an empty table; `older`: there was a page before.
pub(super) fn none(webhook: &WebhookBody, older: bool) -> Markup {
    if older {
        return html! { p.muted { "There is nothing older." } };
    }
    parts::empty(
        "Nothing was sent to it yet, or more than 7 days ago. A Test is sent at once and is not listed here. On the command line:",
        &format!("shunt ctl webhook test {}", webhook.name),
    )
}
