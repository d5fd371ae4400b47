//! `shunt ctl pool update`: changes what was said about a pool.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::{PatchPool, PoolBody};

use super::flags::PoolFlags;
use super::path;
use super::show::told;
use crate::client::{Client, encode, parse};
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, plain, print, stdout_colour};

/// Change a pool; what is not named stays
///
/// Machines that are there keep what they were made with. A disabled pool starts none: its machines end their jobs and are
/// stopped.
#[derive(Args, Debug)]
pub struct UpdateArgs {
    /// Name of the pool
    name: PoolName,
    /// Where its provider is called
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Start machines again
    #[arg(long)]
    enable: bool,
    /// Start no machines; stop those that are there when their jobs have ended
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Make a new secret and show it this once
    #[arg(long)]
    new_secret: bool,
    #[command(flatten)]
    flags: PoolFlags,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when nothing is to be changed, and when the server refuses.
pub async fn run(client: &Client, args: UpdateArgs) -> Result<u8, Failure> {
    let mut changes: Map<String, Value> = args.flags.keys()?;
    if let Some(to) = args.url {
        changes.insert("url".to_owned(), to.into());
    }
    if args.enable || args.disable {
        changes.insert("enabled".to_owned(), args.enable.into());
    }
    if changes.is_empty() && !args.new_secret {
        return Err(Usage::NothingToChange { flags: "--max N, --disable … (`shunt ctl pool update --help`)" }.into());
    }
    if args.new_secret && client.connection().is_clear_text() {
        return Err(Usage::ClearTextToken { server: client.connection().server.to_string() }.into());
    }
    let url = client.url(&path(&args.name), &[]);
    let body = encode(&url, &PatchPool { new_secret: args.new_secret, changes })?;
    let value: Value = parse(&url, &client.answer(Method::PATCH, &url, Some(body)).await?.bytes)?;
    if args.json {
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    if let Some(secret) = value["secret"].as_str() {
        note("calls are signed with this secret from now on:");
        print(format!("{}\n", plain(secret)).as_bytes())?;
        return Ok(0);
    }
    let pool: PoolBody = parse(&url, json!(value).to_string().as_bytes())?;
    print(told(&pool).as_bytes())?;
    Ok(0)
}
