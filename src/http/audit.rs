//! `/audit`: who did what, and whether the log is whole.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::wire::audit::{AuditBody, AuditCheckBody, AuditFault};
use shuntyard_domain::wire::time_text::rfc3339;

use super::Api;
use super::error::ApiError;
use super::pages;
use super::query::ApiQuery;
use crate::store::{AuditCheck, AuditQuery, AuditRow, audit_check, audit_page};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct AuditFilter {
    actor: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    /// Acts of this last time.
    within_s: Option<u32>,
    before: Option<i64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Newest first; a full page carries `Link: <…before=SEQ>; rel="next"`.
pub(super) async fn list(
    State(api): State<Api>,
    ApiQuery(filter): ApiQuery<AuditFilter>,
    Query(words): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let limit = pages::limit(filter.limit, "rows")?;
    let since_ms = filter.within_s.map(|s| api.dispatcher.clock().now_ms() - i64::from(s) * 1000);
    let AuditFilter { actor, subject, action, before, .. } = filter;
    let query = AuditQuery { actor, subject, action, since_ms, before, limit };
    let page: Vec<AuditRow> = api.dispatcher.store().read(move |c| audit_page(c, &query)).await?;
    let next = page.last().filter(|_| page.len() == limit as usize);
    let headers = next.map(|last| pages::next_page("audit", &words, last.seq)).unwrap_or_default();
    Ok((headers, Json(page.into_iter().map(body).collect::<Vec<_>>())).into_response())
}

fn body(row: AuditRow) -> AuditBody {
    // Written from a value: it reads as one.
    let value = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    AuditBody {
        seq: row.seq,
        at: rfc3339(row.at_ms),
        at_ms: row.at_ms,
        actor: row.actor,
        token_id: row.token_id,
        address: row.address,
        request_id: row.request_id,
        action: row.action,
        subject: row.subject,
        before: value(row.before),
        after: value(row.after),
        previous: row.previous,
        hash: row.hash,
    }
}

/// Reads the whole log.
pub(super) async fn check(State(api): State<Api>) -> Result<Json<AuditCheckBody>, ApiError> {
    let AuditCheck { rows, head, fault } = api.dispatcher.store().read(audit_check).await?;
    let fault = fault.map(|(seq, why)| AuditFault { seq, why: why.to_owned() });
    Ok(Json(AuditCheckBody { rows, head, fault }))
}
