//! What people did to something, oldest last.

use maud::{Markup, html};
use shuntyard_domain::wire::api::{RunnerEventBody, RunnerEventKind};

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
            let change = |(key, value): (&String, &shuntyard_domain::wire::api::ValueChange)| {
                format!("{key}: {} → {}", value.before, value.after)
            };
            let what = changes.iter().map(change).collect::<Vec<_>>().join("; ");
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            (by, what + &reason)
        }
        RunnerEventKind::Deleted { by, .. } => (by, "deleted it".to_owned()),
    };
    Line { at, by, what }
}

pub(super) fn table(lines: &[Line]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "When" } th { "Who" } th { "What" } } }
        tbody { @for line in lines { tr { td { (ago(&line.at)) } td { (line.by) } td { (line.what) } } } }
    } } }
}
