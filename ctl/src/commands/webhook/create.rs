//! `shunt ctl webhook create`: makes a webhook and shows its secret this once.

use clap::Args;
use serde_json::Value;
use shuntyard_domain::webhook::WebhookEvent;
use shuntyard_domain::wire::webhook::{CreateWebhook, NewWebhook};

use super::refuse_clear_text;
use crate::client::{Client, encode, parse};
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, plain, print, stdout_colour};

const EXAMPLES: &str = "\
Events: job.queued, job.started, job.finished, runner.enrolled, runner.state_changed,
runner.health_changed, runner.deleted; `job` and `runner` stand for all of theirs.

Examples:
  shunt ctl webhook create chat --url https://chat.example.com/hooks/x --events job.finished
  shunt ctl webhook create ops --url https://ops.example.com/ --events runner > secret
  shunt ctl webhook test chat";

/// Make a webhook: a URL that is told of events
///
/// The secret goes to standard output, and is shown this once. With it the receiver checks that a message is ours, as
/// standardwebhooks.com describes. A message is sent at least once: one that fails is tried again for three days.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    /// What the webhook is called
    name: String,
    /// Where messages are posted: https, and a public host unless the server's [outgoing] opens others
    #[arg(long, value_name = "URL")]
    url: String,
    /// What it is told of
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    events: Vec<String>,
    /// Only jobs of this organisation, and runners that serve it alone
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Only jobs of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Print the server's JSON, with the secret
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CreateArgs) -> Result<u8, Failure> {
    let events = events(&args.events)?;
    refuse_clear_text(client)?;
    let wanted =
        CreateWebhook { name: args.name, url: args.url, events, org: args.org, project: args.project, enabled: true };
    let url = client.url("webhooks", &[]);
    let answer = client.create_answer(&url, encode(&url, &wanted)?).await?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let made: NewWebhook = parse(&url, &answer.bytes)?;
    let name = plain(&made.about.name);
    note(&format!("webhook {name} is made; its secret is shown this once. Try it: shunt ctl webhook test {name}"));
    print(format!("{}\n", plain(&made.secret)).as_bytes())?;
    Ok(0)
}

/// Words of events; `job` and `runner` stand for all of theirs.
fn events(words: &[String]) -> Result<Vec<String>, Usage> {
    let mut events = Vec::new();
    for word in words {
        let of_it = |event: &&WebhookEvent| {
            event.as_str() == word || event.as_str().split_once('.').is_some_and(|(kind, _)| kind == word)
        };
        let found: Vec<String> = WebhookEvent::ALL.iter().filter(of_it).map(ToString::to_string).collect();
        if found.is_empty() {
            let known = WebhookEvent::ALL.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Usage::UnknownEvent { found: plain(word), known });
        }
        events.extend(found);
    }
    Ok(events)
}
