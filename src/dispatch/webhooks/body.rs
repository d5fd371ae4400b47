//! What is asked for webhooks, checked, and what is shown of them.

use shuntyard_domain::tenancy::Name;
use shuntyard_domain::webhook::WebhookEvent;
use shuntyard_domain::wire::time_text::rfc3339;
use shuntyard_domain::wire::webhook::{DeliveryBody, WebhookBody};

use crate::dispatch::DispatchError;
use crate::dispatch::engine_error::bad;
use crate::store::{Backlog, DeliveryRow, WebhookRow};

/// A webhook is named as an organisation is: what `shunt` prints of it can be typed again.
pub(super) fn check_name(name: &str) -> Result<(), DispatchError> {
    name.parse::<Name>().map(|_| ()).map_err(|wrong| bad("name", wrong.to_string(), &[wrong.allowed]))
}

/// Reads the words; each counts once.
pub(super) fn events(words: &[String]) -> Result<Vec<WebhookEvent>, DispatchError> {
    let allowed: Vec<&str> = WebhookEvent::ALL.iter().map(|event| event.as_str()).collect();
    if words.is_empty() {
        return Err(bad("events", "a webhook without events hears nothing", &allowed));
    }
    let mut events = Vec::new();
    for word in words {
        let event = word.parse().map_err(|unknown: shuntyard_domain::closed::UnknownWord| {
            bad("events", format!("there is no event `{}`", unknown.found), &allowed)
        })?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(events)
}

/// An organisation or project whose events alone are told. It need not exist: jobs name projects that nobody has made.
pub(super) fn place(key: &'static str, name: Option<String>) -> Result<Option<String>, DispatchError> {
    let checked = name.map(|name| name.parse::<Name>().map_err(|wrong| bad(key, wrong.to_string(), &[wrong.allowed])));
    Ok(checked.transpose()?.map(|name| name.to_string()))
}

pub(super) fn webhook_body(row: WebhookRow, backlog: Backlog) -> WebhookBody {
    WebhookBody {
        id: row.id,
        name: row.name,
        url: row.url,
        events: row.events.iter().map(ToString::to_string).collect(),
        org: row.org,
        project: row.project,
        enabled: row.enabled,
        created_at: rfc3339(row.created_at_ms),
        created_by: row.created_by,
        pending: backlog.pending,
        failed: backlog.failed,
        dropped: row.dropped,
    }
}

pub(super) fn delivery_body(row: DeliveryRow) -> DeliveryBody {
    let waits = row.state == "pending";
    DeliveryBody {
        id: row.id,
        event: row.event,
        state: row.state,
        created_at: rfc3339(row.created_at_ms),
        attempts: row.attempts,
        next_try_at: waits.then(|| rfc3339(row.next_try_at_ms)),
        last_at: row.last_at_ms.map(rfc3339),
        last_status: row.last_status,
        last_error: row.last_error,
    }
}
