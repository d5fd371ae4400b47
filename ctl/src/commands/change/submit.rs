//! `shunt change submit`: a project's files as a new change.

use clap::Args;
use serde_json::json;
use shuntyard_domain::phase::Stage;

use crate::change::place::PlaceArgs;
use crate::change::source::{SourceArgs, submit};
use crate::client::Client;
use crate::commands::change::{follow, stands};
use crate::commands::plan::warn_of_obstacles;
use crate::failure::{EXIT_USAGE, Failure};
use crate::pretty_json::pretty;
use crate::terminal::{print, stdout_colour};

/// Submit the project's files as a new change; it begins in verify at once
///
/// Takes the files of the last commit, sends those that the server lacks, and prints the change's id. With --git nothing
/// is sent: the runners clone the commit by themselves. config.json is checked first; with faults nothing is submitted.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// One line that names the change [default: the subject of the last commit]
    #[arg(long)]
    title: Option<String>,
    /// More about it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// Follow it until it waits for a person or has failed; Ctrl-C leaves, and the change goes on
    #[arg(short, long)]
    follow: bool,
    /// Print the change as JSON; with --follow one JSON event a line
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: SubmitArgs) -> Result<u8, Failure> {
    let place = args.place.resolve(args.source.dir())?;
    let Some(prepared) = args.source.prepare(args.title, args.description)? else { return Ok(EXIT_USAGE) };
    let client = connect()?;
    let change = prepared.upload(&client, args.json).await?;
    let change = submit(&client, &place, &change).await?;
    match (args.json, args.follow) {
        (true, true) => {}
        (true, false) => print(pretty(&json!(change), stdout_colour()).as_bytes())?,
        (false, _) => print(format!("{}\n", change.id).as_bytes())?,
    }
    warn_of_obstacles(&client, change.id, Stage::Verify).await;
    if args.follow {
        return follow(&client, change, std::collections::BTreeSet::new(), args.json).await;
    }
    if !args.json {
        stands(&client, &change).await;
    }
    Ok(0)
}
