//! `shunt ctl pool delete`: stops a pool's machines, then forgets it.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::pool::name::PoolName;

use super::path;
use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::print;

/// Delete a pool; its machines end their jobs and are stopped first
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the pool
    name: PoolName,
    /// Let its machines stay as ordinary runners, which nobody stops
    #[arg(long)]
    keep: bool,
}

/// # Errors
/// `Failure` when there is no such pool, or the server refuses.
pub async fn run(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let query: &[(&str, String)] = if args.keep { &[("keep", "true".to_owned())] } else { &[] };
    let url = client.url(&path(&args.name), query);
    let answer = client.answer(Method::DELETE, &url, None).await?;
    // An answer without a body: it is gone.
    let told = if !answer.bytes.is_empty() {
        format!("pool {} goes when its machines are stopped: `shunt ctl pool show {0}`\n", args.name)
    } else {
        format!("pool {} is deleted\n", args.name)
    };
    print(told.as_bytes())?;
    Ok(0)
}
