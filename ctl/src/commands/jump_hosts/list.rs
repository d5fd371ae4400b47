//! `shunt ctl jump-host list`: the jump hosts as a table.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::wire::jump_host::JumpHostBody;

use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{print, stdout_colour};

const HEADER: [&str; 8] = ["NAME", "ADDRESS", "USER", "JUMP", "STATE", "CONTACT", "CARRIED", "REASON"];

/// List the jump hosts
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let url = client.url("jump-hosts", &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let hosts: Vec<JumpHostBody> = parse(&url, &answer.bytes)?;
    print(table::render(&HEADER, hosts.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

fn row(host: &JumpHostBody) -> Vec<String> {
    vec![
        host.name.to_string(),
        format!("{}:{}", host.address, host.port),
        host.user.clone(),
        host.jump.as_ref().map(ToString::to_string).unwrap_or_default(),
        host.state.clone(),
        host.contact.status.clone(),
        host.contact.carried.to_string(),
        reason(host),
    ]
}

/// Why it is in quarantine, or else why it is not reached.
pub fn reason(host: &JumpHostBody) -> String {
    host.reason.clone().or_else(|| host.contact.reason.clone()).unwrap_or_default()
}
