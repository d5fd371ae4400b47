//! `shunt ctl list-runners`: the inventory as a table.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::RunnerBody;

use crate::client::{Client, parse};
use crate::commands::runners::state::described;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{print, stdout_colour};

/// SINCE, TRIES and NEXT-TRY say something of runners that are not connected only, REASON also of those whose state
/// somebody has changed.
const HEADER: [&str; 14] = [
    "NAME", "PLATFORM", "STATE", "CONTACT", "SLOTS", "LABELS", "SCOPE", "JUMP", "HEALTH", "JOBS", "SINCE", "TRIES",
    "NEXT-TRY", "REASON",
];

/// List the runners
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let url = client.url("runners", &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let runners: Vec<RunnerBody> = parse(&url, &answer.bytes)?;
    print(table::render(&HEADER, runners.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

fn row(runner: &RunnerBody) -> Vec<String> {
    let contact = &runner.contact;
    let away = |text: &str| if contact.status == "connected" { String::new() } else { text.to_owned() };
    let platform = [runner.platform.as_str(), runner.platform_version.as_str()];
    vec![
        runner.hostname.clone(),
        platform.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" "),
        runner.state.to_string(),
        contact.status.clone(),
        format!("{}/{}", runner.slots.saturating_sub(runner.slots_free), runner.slots),
        runner.labels.iter().cloned().collect::<Vec<_>>().join(","),
        runner.scope.to_string(),
        runner.jump.as_ref().map(ToString::to_string).unwrap_or_default(),
        runner.health.status.clone().unwrap_or_else(|| "untested".into()),
        runner.running_jobs.len().to_string(),
        away(&contact.since),
        away(&contact.tries.to_string()),
        away(contact.next_try_at.as_deref().unwrap_or_default()),
        reason(runner),
    ]
}

/// Why it is in its state, and why it is not connected.
fn reason(runner: &RunnerBody) -> String {
    let state = (runner.state != RunnerState::Enrolled && runner.state_note.is_some()).then(|| described(runner));
    let contact = runner.contact.reason.clone().filter(|_| runner.contact.status != "connected");
    [state, contact].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
