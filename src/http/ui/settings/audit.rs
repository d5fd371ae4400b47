//! The audit log: who did what, newest first.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::wire::time_text::rfc3339;

use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::query::{ApiQuery, filled};
use crate::http::ui::parts;
use crate::http::ui::viewer::Viewer;
use crate::store::{AuditQuery, AuditRow, audit_page};

const A_PAGE: u32 = 100;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    actor: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    before: Option<i64>,
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(asked): ApiQuery<Asked>,
) -> Result<Response, ApiError> {
    let filled = |text: &Option<String>| filled(text.as_ref()).map(str::to_owned);
    let query = AuditQuery {
        actor: filled(&asked.actor),
        subject: filled(&asked.subject),
        action: filled(&asked.action),
        since_ms: None,
        before: asked.before,
        limit: A_PAGE,
    };
    let rows: Vec<AuditRow> = api.dispatcher.store().read(move |c| audit_page(c, &query)).await?;
    let older = rows.last().filter(|_| rows.len() == A_PAGE as usize).map(|last| address(&asked, last.seq));
    let inside = html! {
        (search(&asked))
        (table(&rows))
        (parts::more(older))
        p.muted { "Each row holds the hash of the one before: " code { "shunt audit check" } " reads them all and says whether one was changed." }
    };
    Ok(super::page(&viewer, "Audit log", &inside))
}

fn search(asked: &Asked) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    html! {
        form.filterbox method="get" action="/settings/audit" role="search" {
            label { "Who " input name="actor" value=(text(&asked.actor)) size="14" spellcheck="false"; }
            label { "Action " input name="action" value=(text(&asked.action)) size="18" spellcheck="false"; }
            label { "Of what " input name="subject" value=(text(&asked.subject)) size="18" spellcheck="false"; }
            button { "Search" }
        }
    }
}

fn table(rows: &[AuditRow]) -> Markup {
    html! { div.table { table {
        thead { tr { th.number { "Row" } th { "When" } th { "Who" } th { "From" } th { "Action" } th { "Of what" } th { "Before" } th { "After" } } }
        tbody { @for row in rows { tr {
            td.number { (row.seq) }
            td { (parts::at(&rfc3339(row.at_ms))) }
            td { (row.actor) }
            td { (row.address.as_deref().unwrap_or_default()) }
            td { (row.action) }
            td.cut title=(row.subject) { (row.subject) }
            td.cut title=[row.before.as_deref()] { code { (row.before.as_deref().unwrap_or_default()) } }
            td.cut title=[row.after.as_deref()] { code { (row.after.as_deref().unwrap_or_default()) } }
        } } }
    } } }
}

/// The same search, further back.
fn address(asked: &Asked, before: i64) -> String {
    let before = before.to_string();
    let (actor, subject, action) = (asked.actor.as_deref(), asked.subject.as_deref(), asked.action.as_deref());
    let words = [("actor", actor), ("subject", subject), ("action", action), ("before", Some(&*before))];
    parts::address("/settings/audit", &words)
}
