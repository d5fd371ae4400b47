//! `shunt change list`: changes, newest first.

use std::time::{Duration, SystemTime};

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::change::ChangeBody;

use crate::change::standing::sentence;
use crate::client::{Client, unknown_shape};
use crate::commands::{jobs, list_pages};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{note, print, stdout_colour};

const HEADER: [&str; 6] = ["ID", "STATE", "STANDS", "PROJECT", "AGE", "TITLE"];
const MAX_LISTED: i64 = 10_000;

/// List changes, newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only changes of this project
    #[arg(long, value_name = "NAME")]
    project: Option<Name>,
    /// Only changes of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<Name>,
    /// Only changes of this organisation
    #[arg(long, value_name = "NAME")]
    org: Option<Name>,
    /// Only changes in this state
    #[arg(long, value_parser = PossibleValuesParser::new(ChangeState::ALL.iter().map(|state| state.as_str())))]
    state: Option<String>,
    /// At most this many, up to 10000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MAX_LISTED))]
    limit: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let name = |key, name: &Option<Name>| name.as_ref().map(|name| (key, name.to_string()));
    let query = [name("org", &args.org), name("project", &args.project), name("pipeline", &args.pipeline)];
    let state = args.state.clone().map(|state| ("state", state));
    let query: Vec<_> = query.into_iter().chain([state]).flatten().collect();
    let list = list_pages::newest(client, "changes", &query, args.limit).await?;
    let (shown, more) = (list.items.len(), list.more);
    if args.json {
        print(pretty(&Value::Array(list.items), stdout_colour()).as_bytes())?;
    } else {
        let url = client.url("changes", &[]);
        let read = |change| ChangeBody::deserialize(change).map_err(|error| unknown_shape(&url, error));
        let changes: Vec<ChangeBody> = list.items.into_iter().map(read).collect::<Result<_, _>>()?;
        let rows = changes.iter().map(|change| row(change, list.server_time)).collect();
        print(table::render(&HEADER, rows).as_bytes())?;
        if changes.is_empty() {
            note("no changes; `shunt change submit` in a project's directory makes one");
        }
    }
    if more {
        note(&format!("there are more than these {shown}: --limit N shows up to {MAX_LISTED}"));
    }
    Ok(0)
}

fn row(change: &ChangeBody, server_time: Option<SystemTime>) -> Vec<String> {
    let submitted = humantime::parse_rfc3339(&change.submitted_at).ok();
    let age = submitted.zip(server_time).map(|(then, now)| now.duration_since(then).unwrap_or(Duration::ZERO));
    let org = if change.org.as_str() == "default" { String::new() } else { format!("{}/", change.org) };
    vec![
        change.id.to_string(),
        change.state.to_string(),
        sentence(change),
        format!("{org}{}/{}", change.project, change.pipeline),
        age.map(jobs::short_duration).unwrap_or_default(),
        jobs::shortened(&change.title),
    ]
}
