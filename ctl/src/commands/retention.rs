//! `shunt retention`: what the dispatcher would let go of.

use clap::{Args, Subcommand};
use reqwest::Method;
use shuntyard_domain::wire::retention::{KeptBody, RetentionBody};

use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{print, stdout_colour};

const EXAMPLES: &str = "\
Examples:
  shunt retention plan
  shunt retention apply";

#[derive(Subcommand, Debug)]
#[command(after_help = EXAMPLES)]
pub enum RetentionCommand {
    Plan(PlanArgs),
    Apply(ApplyArgs),
}

/// Say how long things are kept, and what would be removed now
///
/// The bounds are `[retention]` of the dispatcher's configuration. Nothing is removed by this.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Remove now what the bounds ask for, instead of within the hour
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server refuses, or standard output fails.
pub async fn run(client: &Client, command: RetentionCommand) -> Result<u8, Failure> {
    let (method, goes, json) = match command {
        RetentionCommand::Plan(args) => (Method::GET, "would go", args.json),
        RetentionCommand::Apply(args) => (Method::POST, "are gone", args.json),
    };
    let url = client.url("retention", &[]);
    let answer = client.answer(method, &url, None).await?;
    let plan: RetentionBody = parse(&url, &answer.bytes)?;
    let text = if json { pretty(&serde_json::json!(plan), stdout_colour()) } else { told(&plan, goes) };
    print(text.as_bytes())?;
    Ok(0)
}

fn told(plan: &RetentionBody, goes: &str) -> String {
    let logs = line("logs", plan.log_max_age_days, plan.log_max_mib, plan.logs, goes);
    let artifacts = line("artifacts", plan.artifact_max_age_days, plan.artifact_max_mib, plan.artifacts, goes);
    logs + &artifacts + &line("jobs", plan.job_max_age_days, None, plan.jobs, goes)
}

fn line(what: &str, days: Option<u64>, mib: Option<u64>, gone: KeptBody, goes: &str) -> String {
    let bounds: Vec<String> =
        days.map(|days| format!("{days} days")).into_iter().chain(mib.map(|mib| format!("{mib} MiB"))).collect();
    if bounds.is_empty() {
        return format!("{what:<10} kept for ever\n");
    }
    let jobs = if gone.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", gone.jobs) };
    format!("{what:<10} kept for {}; those of {jobs} {goes}, {} bytes\n", bounds.join(", up to "), gone.bytes)
}
