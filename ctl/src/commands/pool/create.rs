//! `shunt ctl pool create`: makes a pool and shows its secret this once.

use clap::Args;
use serde_json::json;
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::NewPool;

use super::flags::PoolFlags;
use crate::client::Client;
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, plain, print, stdout_colour};

/// Make a pool: machines that your provider starts when jobs wait for them
///
/// The URL is called with signed POST requests to start, list and stop machines. The secret by
/// which the provider checks them goes to standard output, and is shown this once.
///
/// What is not said: --enrol-url as the server of this command, --min 0, --max 1, --warm 0,
/// --slots 1, --idle 10m, --start-limit 10m, --lifetime none.
///
///   shunt ctl pool create cloud --url https://provider.example/hook --max 10 --labels cloud
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct CreateArgs {
    /// What the pool is called; its machines' names begin with it
    name: PoolName,
    /// Where its provider is called
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    flags: PoolFlags,
    /// Print the server's JSON, with the secret
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CreateArgs) -> Result<u8, Failure> {
    let mut keys = args.flags.keys()?;
    if client.connection().is_clear_text() {
        return Err(Usage::ClearTextToken { server: client.connection().server.to_string() }.into());
    }
    let server = client.connection().server.to_string();
    keys.entry("enrol_url").or_insert_with(|| server.trim_end_matches('/').into());
    keys.insert("url".to_owned(), args.url.into());
    keys.insert("name".to_owned(), args.name.to_string().into());
    let made: NewPool = client.create("pools", &keys).await?;
    if args.json {
        print(pretty(&json!(made), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let about = &made.about;
    note(&format!(
        "pool {} starts up to {} machine(s), which enrol at {}. Its calls are signed with this secret:",
        plain(about.name.as_str()),
        about.spec.max,
        plain(&about.spec.enrol_url),
    ));
    print(format!("{}\n", plain(&made.secret)).as_bytes())?;
    Ok(0)
}
