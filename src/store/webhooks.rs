//! Webhooks; their secrets as they are sealed.

use diesel::prelude::*;
use serde_json::json;
use shuntyard_domain::webhook::WebhookEvent;

use super::audit::{self, Changed, audit_note};
use super::base64_text;
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::outbox;
use super::schema::{webhook_deliveries, webhooks};

const WEBHOOK: &str = "webhook";

/// Who is told of which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    pub id: String,
    /// Unique.
    pub name: String,
    pub url: String,
    pub events: Vec<WebhookEvent>,
    pub org: Option<String>,
    pub project: Option<String>,
    pub enabled: bool,
    pub sealed_secret: Vec<u8>,
    pub created_at_ms: i64,
    pub created_by: String,
    /// Deliveries that were given up because too many waited.
    pub dropped: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks)]
struct Columns {
    id: String,
    name: String,
    url: String,
    events: String,
    org: Option<String>,
    project: Option<String>,
    enabled: bool,
    sealed_secret: String,
    created_at_ms: i64,
    created_by: String,
    dropped: i64,
}

impl Columns {
    fn new(row: &WebhookRow) -> Result<Self, StoreError> {
        let words: Vec<&str> = row.events.iter().map(|event| event.as_str()).collect();
        Ok(Self {
            id: row.id.clone(),
            name: row.name.clone(),
            url: row.url.clone(),
            events: About { what: WEBHOOK, key: &row.name }.json("events", &words)?,
            org: row.org.clone(),
            project: row.project.clone(),
            enabled: row.enabled,
            sealed_secret: base64_text::encode(&row.sealed_secret),
            created_at_ms: row.created_at_ms,
            created_by: row.created_by.clone(),
            dropped: row.dropped,
        })
    }

    fn into_row(self) -> Result<WebhookRow, StoreError> {
        let row = Row { table: "webhooks", key: &self.id };
        let words: Vec<String> = row.json("events", &self.events)?;
        let events = words.iter().map(|word| row.parse("events", word)).collect::<Result<_, _>>()?;
        let sealed_secret = base64_text::decode(row, "sealed_secret", &self.sealed_secret)?;
        Ok(WebhookRow {
            events,
            sealed_secret,
            id: self.id,
            name: self.name,
            url: self.url,
            org: self.org,
            project: self.project,
            enabled: self.enabled,
            created_at_ms: self.created_at_ms,
            created_by: self.created_by,
            dropped: self.dropped,
        })
    }
}

/// Inserts a webhook; every event that is written after it is told.
///
/// # Errors
/// `Conflict` when the name (or the id) is taken.
pub fn webhook_insert(c: &mut StoreConnection, webhook: &WebhookRow) -> Result<(), StoreError> {
    let columns = Columns::new(webhook)?;
    c.transaction(|c| diesel::insert_into(webhooks::table).values(columns).execute(c))
        .map_err(|source| About { what: WEBHOOK, key: &webhook.name }.insert(source))?;
    audit_note(c, "webhook.create", || changed(None, webhook))?;
    outbox::forget_subscriptions();
    Ok(())
}

/// Writes the whole record but for what was dropped; tells whether it was there.
///
/// # Errors
/// `Conflict` when a new name is taken.
pub fn webhook_update(c: &mut StoreConnection, webhook: &WebhookRow) -> Result<bool, StoreError> {
    let columns = Columns::new(webhook)?;
    if audit::is_acting() {
        let before = webhook_find(c, &webhook.id)?;
        audit_note(c, "webhook.change", || changed(before.as_ref(), webhook))?;
    }
    let values = (
        webhooks::name.eq(columns.name),
        webhooks::url.eq(columns.url),
        webhooks::events.eq(columns.events),
        webhooks::enabled.eq(columns.enabled),
        webhooks::sealed_secret.eq(columns.sealed_secret),
    );
    let written = c
        .transaction(|c| diesel::update(webhooks::table.find(&webhook.id)).set(values).execute(c))
        .map_err(|source| About { what: WEBHOOK, key: &webhook.name }.update(source))?;
    outbox::forget_subscriptions();
    // One that is enabled again may have waiting deliveries.
    outbox::wake();
    Ok(written > 0)
}

/// Returns the webhook with that id.
pub fn webhook_find(c: &mut StoreConnection, id: &str) -> Result<Option<WebhookRow>, StoreError> {
    let found = webhooks::table.find(id).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: WEBHOOK, key: id }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns every webhook, oldest first.
pub fn webhook_list(c: &mut StoreConnection) -> Result<Vec<WebhookRow>, StoreError> {
    let rows: Vec<Columns> = webhooks::table
        .order(webhooks::id)
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "webhooks", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Removes a webhook and everything that was, or was to be, sent to it. Tells whether it was there.
pub fn webhook_delete(c: &mut StoreConnection, id: &str) -> Result<bool, StoreError> {
    let about = About { what: WEBHOOK, key: id };
    let of_it = webhook_deliveries::table.filter(webhook_deliveries::webhook_id.eq(id));
    diesel::delete(of_it).execute(c).map_err(|source| about.delete(source))?;
    let deleted = diesel::delete(webhooks::table.find(id)).execute(c).map_err(|source| about.delete(source))?;
    outbox::forget_subscriptions();
    if deleted > 0 {
        audit_note(c, "webhook.delete", || Changed::new(format!("webhook {id}"), None, None))?;
    }
    Ok(deleted > 0)
}

/// What the audit log says of a webhook's record; its URL may hold a secret.
fn changed(before: Option<&WebhookRow>, after: &WebhookRow) -> Changed {
    let body = |row: &WebhookRow| json!({"name": row.name, "events": row.events, "enabled": row.enabled});
    Changed::new(format!("webhook {}", after.id), before.map(body), Some(body(after)))
}

/// Returns how many webhooks there are.
pub fn webhook_count(c: &mut StoreConnection) -> Result<i64, StoreError> {
    webhooks::table.count().get_result(c).map_err(|source| StoreError::List { what: "webhooks", source })
}
