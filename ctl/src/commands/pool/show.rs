//! `shunt ctl pool show`: one pool and its machines.

use clap::Args;
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::{InstanceBody, PoolBody};

use super::list::state;
use super::{path, print_json};
use crate::client::Client;
use crate::failure::Failure;
use crate::table;
use crate::terminal::{plain, print};

const HEADER: [&str; 7] = ["MACHINE", "STATE", "SINCE", "REASON", "PROVIDER-ID", "CREATED", "NOTE"];

/// Show a pool, its machines, and what its provider answered last
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Name of the pool
    name: PoolName,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when there is no such pool, or the server or standard output fails.
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    if args.json {
        return print_json(client, &path(&args.name)).await;
    }
    let pool: PoolBody = client.get(&path(&args.name)).await?;
    print(told(&pool).as_bytes())?;
    Ok(0)
}

/// A line for each thing that matters, then the machines.
pub(super) fn told(pool: &PoolBody) -> String {
    let (spec, counts) = (&pool.spec, &pool.counts);
    let joined = |words: &std::collections::BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(",");
    let lifetime = spec.lifetime_s.map_or_else(|| "none".to_owned(), |limit_s| format!("{limit_s} s"));
    let mut lines = vec![
        format!("{} is {}: {} of up to {} machines", pool.name, state(pool), counts.live(), spec.max),
        format!("url          {}", spec.url),
        format!("enrol at     {}", spec.enrol_url),
        format!("serves       {}", spec.scope),
        format!("labels       {}", joined(&spec.labels)),
        format!("capabilities {}", joined(&spec.capabilities)),
        format!("slots        {}{}", spec.slots, if spec.one_off { ", one job for each machine" } else { "" }),
        format!("min, warm    {}, {}", spec.min, spec.warm),
        format!("limits       idle {} s, lifetime {lifetime}, start {} s", spec.idle_limit_s, spec.start_limit_s),
        format!("waiting jobs {}", pool.waiting_jobs),
    ];
    if pool.failures > 0 {
        let next = pool.next_start_at.as_ref().map(|at| format!(", the next one not before {at}")).unwrap_or_default();
        lines.push(format!("failures     {} start(s) came to nothing{next}", pool.failures));
    }
    if let Some(error) = &pool.last_error {
        let next = error.next_try_at.as_ref().map(|at| format!(", again at {at}")).unwrap_or_default();
        lines.push(format!(
            "last error   {} at {}: {} ({} tries{next})",
            error.action, error.at, error.error, error.tries
        ));
    }
    let mut text: String = lines.iter().map(|line| plain(line) + "\n").collect();
    let machines = pool.instances.as_deref().unwrap_or_default();
    if !machines.is_empty() {
        text.push('\n');
        text += &table::render(&HEADER, machines.iter().map(row).collect());
    }
    text
}

fn row(machine: &InstanceBody) -> Vec<String> {
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        machine.instance.clone(),
        machine.state.to_string(),
        machine.state_at.clone(),
        machine.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        or_empty(&machine.provider_id),
        machine.created_at.clone(),
        or_empty(&machine.note),
    ]
}
