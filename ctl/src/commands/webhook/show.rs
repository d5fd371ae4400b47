//! `shunt ctl webhook show`: one webhook, and how it fares.

use clap::Args;
use shuntyard_domain::wire::webhook::WebhookBody;

use super::called;
use crate::client::Client;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{plain, print, stdout_colour};

/// Show a webhook and what waits for it
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Name or id of the webhook
    webhook: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    let id = called(client, &args.webhook).await?.id;
    let path = format!("webhooks/{id}");
    if args.json {
        let value: serde_json::Value = client.get(&path).await?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let webhook: WebhookBody = client.get(&path).await?;
    let any = |name: &Option<String>| name.clone().unwrap_or_else(|| "any".to_owned());
    let lines = [
        ("name", webhook.name.clone()),
        ("id", webhook.id.clone()),
        ("url", webhook.url.clone()),
        ("events", webhook.events.join(", ")),
        ("org", any(&webhook.org)),
        ("project", any(&webhook.project)),
        ("enabled", if webhook.enabled { "yes" } else { "no" }.to_owned()),
        ("created", format!("{} by {}", webhook.created_at, webhook.created_by)),
        ("pending", webhook.pending.to_string()),
        ("failed", webhook.failed.to_string()),
        ("dropped", webhook.dropped.to_string()),
    ];
    let text: String = lines.iter().map(|(key, value)| format!("{key:<9}{}\n", plain(value))).collect();
    print(text.as_bytes())?;
    Ok(0)
}
