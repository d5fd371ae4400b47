//! `shunt token list`: the API tokens as a table.

use clap::Args;
use serde_json::Value;
use shuntyard_domain::wire::access::{TokenBody, TokenList};

use crate::client::Client;
use crate::commands::user::shown;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{print, stdout_colour};

const HEADER: [&str; 8] = ["NAME", "PREFIX", "KIND", "STATE", "USER", "ROLES", "LAST-USED", "EXPIRES"];

/// List API tokens, newest first: your own, or all as an admin; ended ones stay for 90 days
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    if args.json {
        let tokens: Value = client.get("tokens").await?;
        print(pretty(&tokens, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let TokenList { tokens } = client.get("tokens").await?;
    print(table::render(&HEADER, tokens.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

fn row(token: &TokenBody) -> Vec<String> {
    vec![
        token.name.clone(),
        token.prefix.clone(),
        token.kind.to_string(),
        token.state.clone(),
        token.user.clone().unwrap_or_default(),
        shown(&token.grants),
        token.last_used_at.clone().unwrap_or_default(),
        token.expires_at.clone().unwrap_or_default(),
    ]
}
