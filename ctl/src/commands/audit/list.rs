//! `shunt audit`: who did what, newest first.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::wire::audit::AuditBody;

use crate::client::{Client, unknown_shape};
use crate::commands::list_pages;
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{note, plain, print, stdout_colour};

const HEADER: [&str; 6] = ["SEQ", "AT", "WHO", "FROM", "WHAT", "ON"];
const MAX_LISTED: i64 = 10_000;

#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only acts of this user or token
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only acts on this, such as 'runner build-1'
    #[arg(long)]
    subject: Option<String>,
    /// Only acts of this kind: 'runner.change', or 'runner' for all on runners
    #[arg(long)]
    action: Option<String>,
    /// Only acts of this last time, such as 12h or 7d
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// At most this many, up to 10000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=MAX_LISTED))]
    limit: u32,
    /// Print the server's JSON, with what was before and after, and the hashes
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let mut query = Vec::new();
    let given = [("actor", &args.actor), ("subject", &args.subject), ("action", &args.action)];
    query.extend(given.into_iter().filter_map(|(key, value)| value.clone().map(|value| (key, value))));
    if let Some(since) = &args.since {
        query.push(("within_s", seconds(since)?.to_string()));
    }
    let list = list_pages::newest(client, "audit", &query, args.limit).await?;
    if args.json {
        print(pretty(&Value::Array(list.items), stdout_colour()).as_bytes())?;
    } else {
        let url = client.url("audit", &[]);
        let row = |item: Value| AuditBody::deserialize(item).map(row).map_err(|error| unknown_shape(&url, error));
        print(table::render(&HEADER, list.items.into_iter().map(row).collect::<Result<_, _>>()?).as_bytes())?;
    }
    if list.more {
        note(&format!(
            "there are more: --limit N shows up to {MAX_LISTED}; --actor, --subject, --action, --since choose"
        ));
    }
    Ok(0)
}

fn seconds(text: &str) -> Result<u64, Usage> {
    let bad = |error: humantime::DurationError| Usage::BadDuration { found: plain(text), why: error.to_string() };
    Ok(humantime::parse_duration(text).map_err(bad)?.as_secs())
}

fn row(act: AuditBody) -> Vec<String> {
    let address = act.address.unwrap_or_else(|| "-".to_owned());
    [act.seq.to_string(), act.at, act.actor, address, act.action, act.subject].iter().map(|text| plain(text)).collect()
}
