//! `/webhooks`: who is told of events.

use shuntyard_domain::wire::webhook::{CreateWebhook, DeliveryBody, NewWebhook, PatchWebhook, PingBody, WebhookBody};

use super::super::operation::{Operation, delete, get, patch, post};
use crate::http::error::words::ErrorWord as E;
use crate::http::webhooks::Page;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/webhooks", "list_webhooks", "Lists the webhooks.").answers::<Vec<WebhookBody>>(),
        post("/webhooks", "create_webhook", "Makes a webhook; this answer is the only one that holds its secret.")
            .takes::<CreateWebhook>()
            .creates_secret::<NewWebhook, WebhookBody>()
            .fails(&[E::Conflict]),
        get("/webhooks/{id}", "show_webhook", "Shows one webhook.").answers::<WebhookBody>(),
        patch("/webhooks/{id}", "patch_webhook", "Changes a webhook.")
            .takes::<PatchWebhook>()
            .answers::<WebhookBody>()
            .fails(&[E::Conflict]),
        delete("/webhooks/{id}", "delete_webhook", "Deletes a webhook and what waits for it.").done(),
        post(
            "/webhooks/{id}/secret",
            "rotate_webhook",
            "Makes another secret; this answer is the only one that holds it.",
        )
        .answers::<NewWebhook>(),
        post("/webhooks/{id}/test", "ping_webhook", "Sends a message of type `ping` and says what became of it.")
            .answers::<PingBody>(),
        get("/webhooks/{id}/deliveries", "list_deliveries", "Lists what was sent, newest first.")
            .query::<Page>()
            .answers::<Vec<DeliveryBody>>(),
        post("/webhooks/{id}/deliveries/{delivery}/redeliver", "redeliver", "Sends a message again.")
            .answers::<DeliveryBody>(),
    ]
}
