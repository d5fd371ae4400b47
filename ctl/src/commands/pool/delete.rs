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
    /// Forget it at once, when its provider does not answer: machines that are runners stay, and what is on its way in or
    /// out is for you to stop
    #[arg(long, conflicts_with = "keep")]
    force: bool,
}

/// # Errors
/// `Failure` when there is no such pool, or the server refuses.
pub async fn run(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let given = [("keep", args.keep), ("force", args.force)].into_iter().filter(|(_, given)| *given);
    let query: Vec<(&str, String)> = given.map(|(key, _)| (key, "true".to_owned())).collect();
    let url = client.url(&path(&args.name), &query);
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
