//! `shunt ctl jump-host show`: one jump host, with what is reached through it.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::wire::jump_host::JumpHostBody;

use super::list::reason;
use super::{checked_name, path};
use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{plain, print, stdout_colour};

/// Show a jump host: its keys, and what is reached through it
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Name of the jump host
    name: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when there is none of that name.
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    let url = client.url(&path(&checked_name(&args.name)?), &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    print(text(&parse(&url, &answer.bytes)?).as_bytes())?;
    Ok(0)
}

fn text(host: &JumpHostBody) -> String {
    let or_none = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let way = host.jump.as_ref().map_or_else(|| "directly".to_owned(), |jump| format!("through {jump}"));
    let why = reason(host);
    let why = if why.is_empty() { why } else { format!(": {why}") };
    [
        ("name", host.name.to_string()),
        ("address", format!("{}:{} as {}, {way}", host.address, host.port, host.user)),
        ("state", format!("{}, {}{why}", host.state, host.contact.status)),
        ("carries", format!("{} connections", host.contact.carried)),
        ("used by", or_none(&host.used_by)),
        ("host keys", or_none(&host.host_keys)),
        ("key line", host.authorized_keys_line.clone()),
        ("created", host.created_at.clone()),
    ]
    .map(|(key, value)| format!("{key:<10} {}\n", plain(&value)))
    .concat()
}
