//! `shunt ctl show-runner`: everything that is known of one runner, and what was done to it.

use std::collections::BTreeSet;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shuntyard_domain::facts::Facts;
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::dial_out::{TunnelBody, TurnedAwayBody};

use crate::client::{Client, parse};
use crate::client_error::ClientError;
use crate::commands::jobs;
use crate::commands::runners::checked_hostname;
use crate::commands::runners::state::described;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{plain, print, stdout_colour};

/// How many of its last jobs and events are shown.
const LAST: u32 = 10;

/// Show a runner: state, contact, facts, keys, its last jobs, and what was done to it
///
/// Of a runner that was deleted the history is still shown.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Name of the runner
    hostname: String,
    /// Print the server's JSON: the runner, null when it is deleted, and its events
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Usage` for a name that no runner can have; `Failure` when no runner ever had it.
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let url = client.url(&format!("runners/{hostname}"), &[]);
    let found = client.answer(Method::GET, &url, None).await;
    let events: Vec<Value> = client.get(&format!("runners/{hostname}/events")).await?;
    let runner: Option<Value> = match found {
        Ok(answer) => Some(parse(&url, &answer.bytes)?),
        Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND && !events.is_empty() => None,
        Err(error) => return Err(error.into()),
    };
    if args.json {
        let whole = json!({"runner": runner, "events": events});
        print(pretty(&whole, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let Some(runner) = runner else {
        print(format!("{hostname}: deleted\n{}", history(&events)).as_bytes())?;
        return Ok(0);
    };
    let query = [("runner", hostname.to_owned()), ("state", "all".to_owned())];
    let jobs = jobs::listed(client, &query, LAST).await?;
    let about = about(&parse(&url, runner.to_string().as_bytes())?);
    let jobs = if jobs.is_empty() { jobs } else { format!("\nits last jobs\n{jobs}") };
    print(format!("{about}{jobs}{}", history(&events)).as_bytes())?;
    Ok(0)
}

/// A line for each thing that is known; what is not known has none.
fn about(runner: &RunnerBody) -> String {
    let facts = &runner.facts;
    let list = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join(" ");
    let contact = &runner.contact;
    let reason = contact.reason.iter().map(|reason| format!(": {reason}")).collect::<String>();
    let health = runner.health.command_output.as_deref().unwrap_or_default().trim_end().replace('\n', "\n    ");
    let account = match (runner.local, runner.system_mode) {
        (true, _) => "the dispatcher's own machine",
        (false, true) => "system account",
        (false, false) => "login user",
    };
    let known = [
        ("name", runner.hostname.clone()),
        ("state", described(runner)),
        ("contact", format!("{} since {}{reason}", contact.status, contact.since)),
        ("last seen", runner.last_seen_at.clone().unwrap_or_default()),
        ("reached at", format!("{}@{} port {} ({account})", runner.user, runner.address, runner.port)),
        ("reached through", runner.jump.iter().map(|name| format!("jump host {name}")).collect()),
        ("dials out", runner.dial_out.as_ref().map(tunnel).unwrap_or_default()),
        (
            "platform",
            format!("{} {} ({}), {}", facts.platform, facts.platform_version, facts.platform_family, facts.os),
        ),
        ("hardware", hardware(facts)),
        ("labels", list(&runner.labels)),
        ("capabilities", list(&runner.capabilities)),
        ("scope", runner.scope.to_string()),
        ("slots", format!("{} of {} free", runner.slots_free, runner.slots)),
        ("takes", if runner.one_off.is_some() { "one job".into() } else { String::new() }),
        ("stops jobs by", runner.stop_means.join(", ")),
        ("base directory", runner.base_dir.clone()),
        ("wrapper", runner.wrapper_version.clone()),
        ("host keys", runner.host_keys.join("\n    ")),
        ("its key", runner.openssh_public_key.trim_end().to_owned()),
        ("created", runner.created_at.clone()),
        ("last Test", format!("{}\n    {health}", runner.health.status.as_deref().unwrap_or("none yet"))),
    ];
    let line = |(key, value): &(&str, String)| format!("{key:<15} {}\n", lines(value.trim_end()));
    known.iter().filter(|(_, value)| !value.trim().is_empty()).map(line).collect()
}

/// Whether the tunnel of a host that dials out is up, and who was turned away meanwhile.
fn tunnel(tunnel: &TunnelBody) -> String {
    let up = match (&tunnel.since, &tunnel.peer) {
        (Some(since), Some(peer)) => format!("tunnel up since {since} from {peer}"),
        _ => "no tunnel is up".to_owned(),
    };
    let other = |other: &TurnedAwayBody| {
        format!("\n    another with its key was turned away at {} from {}: a copied key?", other.at, other.peer)
    };
    up + &tunnel.turned_away.as_ref().map(other).unwrap_or_default()
}

fn hardware(facts: &Facts) -> String {
    let cpus = (facts.cpus > 0).then(|| format!("{} CPUs", facts.cpus));
    let memory = (facts.memory_bytes > 0).then(|| format!("{} MiB of memory", facts.memory_bytes >> 20));
    [Some(facts.arch.clone()), cpus, memory].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The last of what was done to it, oldest first; empty when nothing was.
fn history(events: &[Value]) -> String {
    let last = &events[events.len().saturating_sub(LAST as usize)..];
    let told =
        last.iter().map(|event| format!("{}  {}\n", text(&event["at"]), plain(&told(event)))).collect::<String>();
    if told.is_empty() { told } else { format!("\nwhat was done\n{told}") }
}

fn told(event: &Value) -> String {
    let mut told = format!("{} by {}", text(&event["event"]), text(&event["by"]));
    for (key, change) in event["changes"].as_object().into_iter().flatten() {
        told += &format!(", {key} {} -> {}", change["before"], change["after"]);
    }
    if let Some(reason) = event["reason"].as_str() {
        told += &format!(": {reason}");
    }
    told
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// As `plain`, with line ends kept.
fn lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}
