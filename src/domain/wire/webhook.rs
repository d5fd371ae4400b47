//! Webhooks over HTTP: made, listed, changed, and what was sent.

use serde::{Deserialize, Serialize};

/// `POST /webhooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Unique; as the name of an organisation.
    pub name: String,
    pub url: String,
    /// Words of `WebhookEvent`; at least one.
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<crate::webhook::WebhookEvent>"))]
    pub events: Vec<String>,
    /// Jobs of this organisation, and runners that serve it alone; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Jobs of this project, and no events of runners; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// `PATCH /webhooks/:id`. Keys that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchWebhook {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Vec<crate::webhook::WebhookEvent>>"))]
    pub events: Option<Vec<String>>,
    /// A disabled one hears of nothing; what waits is kept for its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// One webhook; the secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct WebhookBody {
    pub id: String,
    pub name: String,
    pub url: String,
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<crate::webhook::WebhookEvent>"))]
    pub events: Vec<String>,
    #[serde(default)]
    pub org: Option<String>,
    #[serde(default)]
    pub project: Option<String>,
    pub enabled: bool,
    pub created_at: String,
    pub created_by: String,
    /// Deliveries that wait for a try.
    pub pending: i64,
    /// Deliveries that were given up and are still kept.
    pub failed: i64,
    /// Deliveries that were ever given up because too many waited.
    pub dropped: i64,
}

/// The answer to `POST /webhooks` and `POST /webhooks/:id/secret`: the only ones that hold the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewWebhook {
    /// `whsec_BASE64`.
    pub secret: String,
    #[serde(flatten)]
    pub about: WebhookBody,
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DeliveryBody {
    /// The message's `id` and header `webhook-id`, the same in every try.
    pub id: String,
    #[serde(rename = "type")]
    pub event: String,
    /// `pending`, `delivered` or `failed`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["pending", "delivered", "failed"])))]
    pub state: String,
    pub created_at: String,
    pub attempts: i64,
    /// Only of a pending one.
    #[serde(default)]
    pub next_try_at: Option<String>,
    #[serde(default)]
    pub last_at: Option<String>,
    /// The status of the last answer.
    #[serde(default)]
    pub last_status: Option<i64>,
    /// Why the last try failed.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// The answer to `POST /webhooks/:id/test`: what became of one message of type `ping`, which is not tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PingBody {
    pub delivered: bool,
    #[serde(default)]
    pub status: Option<u16>,
    /// Why it was not delivered.
    #[serde(default)]
    pub error: Option<String>,
}
