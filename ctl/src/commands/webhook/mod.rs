//! `shunt ctl webhook`: one file each command that does more than ask.

pub mod create;
pub mod show;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::wire::webhook::{DeliveryBody, NewWebhook, PingBody, WebhookBody};

use crate::client::{Client, parse};
use crate::commands::list_pages;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{note, plain, print, stdout_colour};

#[derive(Subcommand, Debug)]
pub enum WebhookCommand {
    Create(create::CreateArgs),
    List(ListArgs),
    Show(show::ShowArgs),
    Test(TestArgs),
    Deliveries(DeliveriesArgs),
    Redeliver(RedeliverArgs),
    Rotate(RotateArgs),
    Delete(DeleteArgs),
}

/// List webhooks
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Send a message of type `ping` and say what the receiver answers
///
/// Ends with 1 when it was not delivered. It is not tried again.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Name or id of the webhook
    webhook: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// List what was sent to a webhook, newest first
#[derive(Args, Debug)]
pub struct DeliveriesArgs {
    /// Name or id of the webhook
    webhook: String,
    /// How many, at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Send a message again, whatever became of it; its id stays
#[derive(Args, Debug)]
pub struct RedeliverArgs {
    /// Name or id of the webhook
    webhook: String,
    /// Id of the delivery, as `shunt ctl webhook deliveries` prints it
    delivery: String,
}

/// Give a webhook another secret, which is shown this once
///
/// The next message is signed with it, also one that is tried again: let the receiver accept both for a moment.
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// Name or id of the webhook
    webhook: String,
}

/// Delete a webhook and what waits for it
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name or id of the webhook
    webhook: String,
}

/// # Errors
/// `Failure`, to be shown as one sentence.
pub async fn run(client: &Client, command: WebhookCommand) -> Result<u8, Failure> {
    match command {
        WebhookCommand::Create(args) => create::run(client, args).await,
        WebhookCommand::List(args) => list(client, args).await,
        WebhookCommand::Show(args) => show::run(client, args).await,
        WebhookCommand::Test(args) => test(client, args).await,
        WebhookCommand::Deliveries(args) => deliveries(client, args).await,
        WebhookCommand::Redeliver(args) => redeliver(client, args).await,
        WebhookCommand::Rotate(args) => rotate(client, args).await,
        WebhookCommand::Delete(args) => delete(client, args).await,
    }
}

/// Finds a webhook by its id or its name.
async fn called(client: &Client, wanted: &str) -> Result<WebhookBody, Failure> {
    let all: Vec<WebhookBody> = client.get("webhooks").await?;
    let found = all.into_iter().find(|webhook| webhook.id == wanted || webhook.name == wanted);
    found.ok_or_else(|| Failure::NoWebhook(plain(wanted)))
}

async fn list(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let url = client.url("webhooks", &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    if args.json {
        let listed: Value = parse(&url, &answer.bytes)?;
        print(pretty(&listed, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let webhooks: Vec<WebhookBody> = parse(&url, &answer.bytes)?;
    let row = |webhook: WebhookBody| {
        let enabled = if webhook.enabled { "yes" } else { "no" };
        let within = [webhook.org, webhook.project].into_iter().flatten().collect::<Vec<_>>().join("/");
        let (pending, failed) = (webhook.pending.to_string(), webhook.failed.to_string());
        vec![webhook.name, enabled.into(), webhook.events.join(","), within, pending, failed, webhook.url]
    };
    let header = ["NAME", "ENABLED", "EVENTS", "WITHIN", "PENDING", "FAILED", "URL"];
    print(table::render(&header, webhooks.into_iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

async fn test(client: &Client, args: TestArgs) -> Result<u8, Failure> {
    let webhook = called(client, &args.webhook).await?;
    let url = client.url(&format!("webhooks/{}/test", webhook.id), &[]);
    let answer = client.answer(Method::POST, &url, None).await?;
    let ping: PingBody = parse(&url, &answer.bytes)?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
    } else if let Some(status) = ping.status.filter(|_| ping.delivered) {
        print(format!("delivered: the receiver answered {status}\n").as_bytes())?;
    }
    if ping.delivered {
        return Ok(0);
    }
    note(&format!("not delivered: {}", plain(&ping.error.unwrap_or_default())));
    Ok(EXIT_ERROR)
}

async fn deliveries(client: &Client, args: DeliveriesArgs) -> Result<u8, Failure> {
    let webhook = called(client, &args.webhook).await?;
    let path = format!("webhooks/{}/deliveries", webhook.id);
    let listed = list_pages::newest(client, &path, &[], args.limit).await?;
    if args.json {
        print(pretty(&Value::Array(listed.items), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let items = Value::Array(listed.items).to_string();
    let found: Vec<DeliveryBody> = parse(&client.url(&path, &[]), items.as_bytes())?;
    let row = |delivery: DeliveryBody| {
        let said = delivery.last_error.or_else(|| delivery.last_status.map(|status| status.to_string()));
        let next = delivery.next_try_at.unwrap_or_default();
        let tries = delivery.attempts.to_string();
        vec![delivery.id, delivery.event, delivery.state, tries, delivery.created_at, next, said.unwrap_or_default()]
    };
    let header = ["ID", "TYPE", "STATE", "TRIES", "CREATED", "NEXT TRY", "LAST ANSWER"];
    print(table::render(&header, found.into_iter().map(row).collect()).as_bytes())?;
    if listed.more {
        note("there are more; --limit shows them");
    }
    Ok(0)
}

async fn redeliver(client: &Client, args: RedeliverArgs) -> Result<u8, Failure> {
    if args.delivery.is_empty() || args.delivery.contains('/') {
        return Err(Usage::BadDeliveryId { found: plain(&args.delivery) }.into());
    }
    let webhook = called(client, &args.webhook).await?;
    let url = client.url(&format!("webhooks/{}/deliveries/{}/redeliver", webhook.id, args.delivery), &[]);
    client.answer(Method::POST, &url, None).await?;
    note(&format!("{} is sent again; `shunt ctl webhook deliveries` says how it ends", plain(&args.delivery)));
    Ok(0)
}

async fn rotate(client: &Client, args: RotateArgs) -> Result<u8, Failure> {
    refuse_clear_text(client)?;
    let webhook = called(client, &args.webhook).await?;
    let url = client.url(&format!("webhooks/{}/secret", webhook.id), &[]);
    let made: NewWebhook = parse(&url, &client.answer(Method::POST, &url, None).await?.bytes)?;
    note("this secret is shown once; messages are signed with it from now on");
    print(format!("{}\n", plain(&made.secret)).as_bytes())?;
    Ok(0)
}

async fn delete(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let webhook = called(client, &args.webhook).await?;
    let url = client.url(&format!("webhooks/{}", webhook.id), &[]);
    client.answer(Method::DELETE, &url, None).await?;
    note(&format!("webhook {} is deleted, with the {} message(s) that waited", plain(&webhook.name), webhook.pending));
    Ok(0)
}

/// The answer holds a secret.
fn refuse_clear_text(client: &Client) -> Result<(), Usage> {
    if client.connection().is_clear_text() {
        return Err(Usage::ClearTextToken { server: client.connection().server.to_string() });
    }
    Ok(())
}
