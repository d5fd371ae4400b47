//! `shunt queue`: whether waiting jobs are started.

use clap::{Args, Subcommand};
use reqwest::Method;
use shuntyard_domain::wire::queue::{PauseQueue, QueueBody};

use crate::client::{Client, encode, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{print, stdout_colour};

const EXAMPLES: &str = "\
Examples:
  shunt queue pause --reason 'storage is being moved'
  shunt queue show
  shunt queue resume";

#[derive(Subcommand, Debug)]
#[command(after_help = EXAMPLES)]
pub enum QueueCommand {
    Show(ShowArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
}

/// Say whether waiting jobs are started, and if not, since when, by whom and why
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Start no waiting job any more
///
/// What runs goes on, and jobs are still taken in. It stays so over restarts of the dispatcher.
#[derive(Args, Debug)]
pub struct PauseArgs {
    /// What `shunt explain` tells those who wait
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Start waiting jobs again
///
/// After a restore also before every runner was asked: what a runner that cannot be reached still runs may then be
/// started a second time, or count as lost.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server refuses, or standard output fails.
pub async fn run(client: &Client, command: QueueCommand) -> Result<u8, Failure> {
    let (method, path, body, json) = match command {
        QueueCommand::Show(args) => (Method::GET, "queue", None, args.json),
        QueueCommand::Pause(args) => (Method::POST, "queue/pause", Some(PauseQueue { reason: args.reason }), args.json),
        QueueCommand::Resume(args) => (Method::POST, "queue/resume", None, args.json),
    };
    let url = client.url(path, &[]);
    let body = body.map(|body| encode(&url, &body)).transpose()?;
    let answer = client.answer(method, &url, body).await?;
    let queue: QueueBody = parse(&url, &answer.bytes)?;
    let text = if json { pretty(&serde_json::json!(queue), stdout_colour()) } else { told(&queue) };
    print(text.as_bytes())?;
    Ok(0)
}

fn told(queue: &QueueBody) -> String {
    if !queue.paused {
        return "the queue is open: waiting jobs are started\n".into();
    }
    let (since, by) = (queue.since.as_deref().unwrap_or("?"), queue.by.as_deref().unwrap_or("?"));
    let mut text = format!("the queue is paused since {since} by {by}\n");
    if let Some(reason) = &queue.reason {
        text.push_str(&format!("reason: {reason}\n"));
    }
    if queue.restored {
        text.push_str("it goes on by itself once every runner was asked what it has\n");
        if !queue.not_asked.is_empty() {
            text.push_str(&format!("not asked yet: {}\n", queue.not_asked.join(", ")));
        }
    }
    for unknown in &queue.unknown {
        let state = if unknown.running { "runs" } else { "lies" };
        text.push_str(&format!("{state} on {}, and no job is known for it: {}\n", unknown.runner, unknown.attempt));
    }
    text
}
