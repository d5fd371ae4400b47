//! `shunt ctl pool list`: the pools as a table.

use clap::Args;
use shuntyard_domain::wire::pools::PoolBody;

use super::print_json;
use crate::client::Client;
use crate::failure::Failure;
use crate::table;
use crate::terminal::print;

const HEADER: [&str; 10] =
    ["NAME", "STATE", "STARTING", "ENROLLED", "LEAVING", "MIN", "MAX", "WARM", "WAITING", "LAST-ERROR"];

/// List the pools
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
        return print_json(client, "pools").await;
    }
    let pools: Vec<PoolBody> = client.get("pools").await?;
    print(table::render(&HEADER, pools.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

/// `enabled`, `disabled` or `deleting`.
pub(super) const fn state(pool: &PoolBody) -> &'static str {
    match (pool.deleting, pool.spec.enabled) {
        (true, _) => "deleting",
        (false, true) => "enabled",
        (false, false) => "disabled",
    }
}

fn row(pool: &PoolBody) -> Vec<String> {
    let (counts, spec) = (&pool.counts, &pool.spec);
    vec![
        pool.name.to_string(),
        state(pool).to_owned(),
        counts.starting.to_string(),
        counts.enrolled.to_string(),
        (counts.draining + counts.stopping).to_string(),
        spec.min.to_string(),
        spec.max.to_string(),
        spec.warm.to_string(),
        pool.waiting_jobs.to_string(),
        pool.last_error.as_ref().map(|error| format!("{}: {}", error.action, error.error)).unwrap_or_default(),
    ]
}
