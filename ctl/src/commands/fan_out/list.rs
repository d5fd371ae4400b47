//! `shunt fan-out list`: fan-outs, newest first.

use std::time::{Duration, SystemTime};

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::fan_out::FanOutStatus;
use shuntyard_domain::wire::fan_out::FanOutBody;

use crate::client::{Client, unknown_shape};
use crate::commands::{jobs, list_pages};
use crate::failure::Failure;
use crate::fan_out::shown::counted;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{note, print, stdout_colour};

const HEADER: [&str; 5] = ["ID", "STATUS", "HOSTS", "AGE", "TITLE"];
const MAX_LISTED: i64 = 10_000;

/// List fan-outs, newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only those with this status
    #[arg(long, value_parser = PossibleValuesParser::new(FanOutStatus::ALL.iter().map(|status| status.as_str())))]
    status: Option<String>,
    /// Only those of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
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
    let query = [("status", args.status), ("project", args.project)];
    let query: Vec<_> = query.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let list = list_pages::newest(client, "fan_outs", &query, args.limit).await?;
    let (shown, more) = (list.items.len(), list.more);
    if args.json {
        print(pretty(&Value::Array(list.items), stdout_colour()).as_bytes())?;
    } else {
        let url = client.url("fan_outs", &[]);
        let read = |body| FanOutBody::deserialize(body).map_err(|error| unknown_shape(&url, error));
        let fan_outs: Vec<FanOutBody> = list.items.into_iter().map(read).collect::<Result<_, _>>()?;
        print(table::render(&HEADER, fan_outs.iter().map(|body| row(body, list.server_time)).collect()).as_bytes())?;
        if fan_outs.is_empty() && !query.is_empty() {
            note("no fan-outs match");
        } else if fan_outs.is_empty() {
            note("no fan-outs; `shunt run --all -- COMMAND` makes one");
        }
    }
    if more {
        note(&format!("there are more than these {shown}: --limit N shows up to {MAX_LISTED}"));
    }
    Ok(0)
}

fn row(body: &FanOutBody, server_time: Option<SystemTime>) -> Vec<String> {
    let created = humantime::parse_rfc3339(&body.created_at).ok();
    let age = created.zip(server_time).map(|(then, now)| now.duration_since(then).unwrap_or(Duration::ZERO));
    vec![
        body.id.to_string(),
        body.status.to_string(),
        counted(&body.counts),
        age.map(jobs::short_duration).unwrap_or_default(),
        jobs::shortened(&body.title),
    ]
}
