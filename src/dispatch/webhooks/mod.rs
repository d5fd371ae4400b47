//! Webhooks: who is told of events. Made, changed and removed here; `sender` finds what is due, `delivery` sends it.
//!
//! Promised is at least once, with one id in every try. Messages to one receiver are sent one after the other in the order of
//! their events; one that failed is tried again later, behind others.

mod body;
mod delivery;
mod sender;

use shuntyard_domain::webhook::PING;
use shuntyard_domain::wire::webhook::{CreateWebhook, DeliveryBody, NewWebhook, PatchWebhook, PingBody, WebhookBody};

use super::engine_error::{bad, told};
use super::{DispatchError, Dispatcher, new_id};
use crate::outgoing::{BadDestination, SigningSecret};
use crate::store::{
    Connection, MadeKind, StoreError, WebhookRow, deliveries_next, delivery_again, delivery_list, webhook_backlog,
    webhook_count, webhook_delete, webhook_find, webhook_insert, webhook_list, webhook_update,
};
use body::{check_name, delivery_body, events, place, webhook_body};

pub(super) use sender::run;

/// All webhooks of a dispatcher: every event looks at each, and each may have a message under way.
const MAX_WEBHOOKS: i64 = 50;

impl Dispatcher {
    /// Makes a webhook and its secret, which is told this once.
    ///
    /// # Errors
    /// `BadRequest` for values outside of the rules, `Taken` for a name that there is.
    pub async fn create_webhook(&self, wanted: CreateWebhook, by: &str) -> Result<NewWebhook, DispatchError> {
        check_name(&wanted.name)?;
        self.check_url(&wanted.url)?;
        let (id, secret) = (new_id().to_string(), new_secret()?);
        let row = WebhookRow {
            sealed_secret: self.0.sealer.seal(&context(&id), secret.text().as_bytes())?,
            events: events(&wanted.events)?,
            org: place("org", wanted.org)?,
            project: place("project", wanted.project)?,
            id,
            name: wanted.name,
            url: wanted.url,
            enabled: wanted.enabled,
            created_at_ms: self.0.clock.now_ms(),
            created_by: by.to_owned(),
            dropped: 0,
        };
        let stored = row.clone();
        let insert = move |c: &mut Connection| {
            if webhook_count(c)? >= MAX_WEBHOOKS {
                let message = format!("there are {MAX_WEBHOOKS} webhooks already");
                return Err(bad("name", message, &["a webhook less"]));
            }
            webhook_insert(c, &stored).map_err(|error| taken(error, &stored.name))
        };
        self.0.store.create(MadeKind::Webhook, &row.id, insert).await?;
        tracing::info!(webhook.name = row.name, webhook.id = row.id, "made a webhook");
        Ok(NewWebhook { secret: secret.text().to_string(), about: self.shown(row).await? })
    }

    /// Every webhook, oldest first.
    ///
    /// # Errors
    /// `Store`
    pub async fn webhooks(&self) -> Result<Vec<WebhookBody>, DispatchError> {
        let rows = |c: &mut Connection| -> Result<Vec<_>, StoreError> {
            let all = webhook_list(c)?;
            all.into_iter().map(|row| Ok((webhook_backlog(c, &row.id)?, row))).collect()
        };
        Ok(self.0.store.read(rows).await?.into_iter().map(|(backlog, row)| webhook_body(row, backlog)).collect())
    }

    /// # Errors
    /// `NoWebhook` for an unknown id.
    pub async fn webhook(&self, id: &str) -> Result<WebhookBody, DispatchError> {
        let row = self.webhook_row(id).await?;
        self.shown(row).await
    }

    /// Changes what is given; the secret stays.
    ///
    /// # Errors
    /// As `create_webhook`, and `NoWebhook`.
    pub async fn patch_webhook(&self, id: &str, patch: PatchWebhook) -> Result<WebhookBody, DispatchError> {
        patch.name.as_deref().map_or(Ok(()), check_name)?;
        patch.url.as_deref().map_or(Ok(()), |url| self.check_url(url))?;
        let words = patch.events.as_deref().map(events).transpose()?;
        let changed = self.change_webhook(id, move |row| {
            row.name = patch.name.unwrap_or_else(|| row.name.clone());
            row.url = patch.url.unwrap_or_else(|| row.url.clone());
            row.events = words.unwrap_or_else(|| row.events.clone());
            row.enabled = patch.enabled.unwrap_or(row.enabled);
        });
        let row = changed.await?;
        self.shown(row).await
    }

    /// Gives the webhook another secret, which is told this once; the next try uses it.
    ///
    /// # Errors
    /// `NoWebhook`
    pub async fn rotate_webhook(&self, id: &str) -> Result<NewWebhook, DispatchError> {
        let secret = new_secret()?;
        let sealed = self.0.sealer.seal(&context(id), secret.text().as_bytes())?;
        let row = self.change_webhook(id, move |row| row.sealed_secret = sealed).await?;
        tracing::info!(webhook.name = row.name, webhook.id = id, "a webhook has a new secret");
        Ok(NewWebhook { secret: secret.text().to_string(), about: self.shown(row).await? })
    }

    /// Removes a webhook and what waits for it.
    ///
    /// # Errors
    /// `NoWebhook`
    pub async fn delete_webhook(&self, id: &str) -> Result<(), DispatchError> {
        let key = id.to_owned();
        let there = self.0.store.write(move |c| webhook_delete(c, &key)).await?;
        if there { Ok(()) } else { Err(DispatchError::NoWebhook(id.to_owned())) }
    }

    /// Sends one message of type `ping` at once, and says what became of it.
    ///
    /// # Errors
    /// `NoWebhook`; a receiver that does not answer is no error.
    pub async fn ping_webhook(&self, id: &str) -> Result<PingBody, DispatchError> {
        let row = self.webhook_row(id).await?;
        let now_ms = self.0.clock.now_ms();
        let message_id = new_id().to_string();
        let data = serde_json::json!({"webhook": row.name});
        let body = shuntyard_domain::webhook::message(&message_id, PING, now_ms, &data);
        let answer = self.send(&row, &message_id, body).await;
        Ok(PingBody {
            delivered: answer.as_ref().is_ok_and(|answer| answer.is_success()),
            status: answer.as_ref().ok().map(|answer| answer.status),
            error: answer.map_or_else(|error| Some(told(&error)), |answer| delivery::refusal(&answer)),
        })
    }

    /// The webhook's messages, newest first; those before `before`, when it is given.
    ///
    /// # Errors
    /// `NoWebhook`
    pub async fn webhook_deliveries(
        &self,
        id: &str,
        before: Option<String>,
        limit: u32,
    ) -> Result<Vec<DeliveryBody>, DispatchError> {
        let key = self.webhook_row(id).await?.id;
        let rows = self.0.store.read(move |c| delivery_list(c, &key, before.as_deref(), limit)).await?;
        Ok(rows.into_iter().map(delivery_body).collect())
    }

    /// Sends a message again, whatever became of it; its id stays.
    ///
    /// # Errors
    /// `NoWebhook`, `NoDelivery`
    pub async fn redeliver(&self, webhook: &str, delivery: &str) -> Result<DeliveryBody, DispatchError> {
        let (key, id) = (self.webhook_row(webhook).await?.id, delivery.to_owned());
        let now_ms = self.0.clock.now_ms();
        let again = self.0.store.write(move |c| delivery_again(c, &key, &id, now_ms)).await?;
        again.map(delivery_body).ok_or_else(|| DispatchError::NoDelivery(delivery.to_owned()))
    }

    async fn webhook_row(&self, id: &str) -> Result<WebhookRow, DispatchError> {
        let key = id.to_owned();
        let row = self.0.store.read(move |c| webhook_find(c, &key)).await?;
        row.ok_or_else(|| DispatchError::NoWebhook(id.to_owned()))
    }

    async fn change_webhook(
        &self,
        id: &str,
        change: impl FnOnce(&mut WebhookRow) + Send + 'static,
    ) -> Result<WebhookRow, DispatchError> {
        let key = id.to_owned();
        let rewrite = move |c: &mut Connection| -> Result<Option<WebhookRow>, StoreError> {
            let Some(mut row) = webhook_find(c, &key)? else { return Ok(None) };
            change(&mut row);
            webhook_update(c, &row).map(|there| there.then_some(row))
        };
        let changed = self.0.store.write(rewrite).await.map_err(|error| taken(error, "of another webhook"))?;
        changed.ok_or_else(|| DispatchError::NoWebhook(id.to_owned()))
    }

    async fn shown(&self, row: WebhookRow) -> Result<WebhookBody, DispatchError> {
        let key = row.id.clone();
        let backlog = self.0.store.read(move |c| webhook_backlog(c, &key)).await?;
        Ok(webhook_body(row, backlog))
    }

    fn check_url(&self, url: &str) -> Result<(), DispatchError> {
        let refused = |error: BadDestination| {
            bad("url", error.to_string(), &["an https:// URL of a public host (see [outgoing] of shuntd.toml)"])
        };
        self.0.caller.destination(url).map(drop).map_err(refused)
    }
}

fn new_secret() -> Result<SigningSecret, DispatchError> {
    SigningSecret::generate().map_err(|_| DispatchError::Random)
}

/// The associated data under which a webhook's secret is sealed.
pub(super) fn context(id: &str) -> String {
    format!("webhook:{id}:secret")
}

fn taken(error: StoreError, name: &str) -> DispatchError {
    match error {
        StoreError::Conflict { .. } => DispatchError::Taken { what: "webhook", key: name.to_owned() },
        error => error.into(),
    }
}
