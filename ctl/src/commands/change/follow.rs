//! `shunt change follow`: watches a change and never starts or stops anything.

use std::collections::BTreeSet;

use clap::Args;
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::wire::change::ChangeBody;

use super::{ended_runs, follow};
use crate::change::fetch;
use crate::change::standing::latest;
use crate::client::Client;
use crate::failure::Failure;
use crate::short_id;

/// Follow a change until it waits for a person or ends; starts nothing, and Ctrl-C leaves it as it is
///
/// Shows the latest run from its beginning, then what comes after it. Ends with 1 when a stage has failed or the change
/// is closed, with 130 after Ctrl-C.
#[derive(Args, Debug)]
pub struct FollowArgs {
    /// Id of the change, or a part of its beginning or end
    id: String,
    /// Print one JSON event a line
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` for an unknown id, or when the server or standard output fails.
pub async fn run(client: &Client, args: FollowArgs) -> Result<u8, Failure> {
    let id = short_id::change(client, &args.id).await?;
    let change = fetch(client, id).await?;
    let past = before_the_latest(&change);
    follow(client, change, past, args.json).await
}

/// The runs that are not shown again. The latest one is, also when it has ended: what it did is what one wants to see.
fn before_the_latest(change: &ChangeBody) -> BTreeSet<StageRunId> {
    let mut past = ended_runs(change);
    if let Some(run) = latest(change) {
        past.remove(&run.run);
    }
    past
}
