//! What people did to something, oldest last.

use maud::{Markup, html};
use serde_json::Value;
use shuntyard_domain::wire::api::{RunnerEventBody, RunnerEventKind, ValueChange};

use super::parts::ago;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::runners::runner_history;

/// The last of them are enough.
const MOST: usize = 20;

/// One line of it.
pub(super) struct Line {
    at: String,
    by: String,
    what: String,
}

pub(super) async fn of_runner(api: &Api, hostname: &str) -> Result<Vec<Line>, ApiError> {
    let events = runner_history(api, hostname.to_owned()).await?;
    Ok(events.into_iter().rev().take(MOST).map(line).collect())
}

fn line(RunnerEventBody { at, event }: RunnerEventBody) -> Line {
    let (by, what) = match event {
        RunnerEventKind::HostKeyAccepted { by, after, .. } => {
            (by, format!("accepted the host key {}", after.join(", ")))
        }
        RunnerEventKind::Changed { by, reason, changes } => {
            // The reason stands behind what it is for.
            let changes = changes.iter().filter(|(key, _)| *key != "reason" || reason.is_none());
            let change = |(key, ValueChange { before, after }): (&String, &ValueChange)| {
                format!("{key}: {} → {}", plain(before), plain(after))
            };
            let what = changes.map(change).collect::<Vec<_>>().join("; ");
            (by, what + &because(reason))
        }
        RunnerEventKind::Deleted { by, reason, .. } => (by, "deleted it".to_owned() + &because(reason)),
    };
    Line { at, by, what }
}

fn because(reason: Option<String>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

pub(super) fn table(lines: &[Line]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "When" } th { "Who" } th { "What" } } }
        tbody { @for line in lines { tr { td { (ago(&line.at)) } td { (line.by) } td { (line.what) } } } }
    } } }
}
