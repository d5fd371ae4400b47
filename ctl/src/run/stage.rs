//! `shunt run --stage`: a whole stage of a change, followed to its end.

use std::collections::BTreeSet;

use serde_json::json;
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::{Action, Standing, Status};
use shuntyard_domain::wire::change::ChangeBody;
use tokio::sync::mpsc::UnboundedReceiver;

use super::RunArgs;
use super::interrupts::{interrupts, unless_left};
use crate::change::place::PlaceArgs;
use crate::change::source::{SourceArgs, submit};
use crate::change::standing::standing;
use crate::change::watch::{Display, OnInterrupt, Until, Watch, Watched};
use crate::change::{action, fetch};
use crate::client::Client;
use crate::commands::change::act::refused;
use crate::commands::change::{ended_runs, stands};
use crate::commands::plan::warn_of_obstacles;
use crate::failure::{EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USAGE, Failure, Usage};
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{note, print, stdout_colour};

/// What is followed.
struct Begun {
    change: ChangeBody,
    /// Runs that had ended before.
    past: BTreeSet<StageRunId>,
    /// Ctrl-C came meanwhile.
    interrupted: bool,
}

/// Submits or finds the change, follows the stage, and returns the exit code.
///
/// # Errors
/// `Failure`; a stage that fails is an exit code, not a failure.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: RunArgs, stage: Stage) -> Result<u8, Failure> {
    let (json, quiet, detach) = (args.json, args.quiet, args.detach);
    if let Some(change) = &args.change {
        let client = connect()?;
        let begun = join(&client, change, stage, args.failed_only).await?;
        if detach {
            return print_id(&begun.change, json);
        }
        return follow(&client, begun, stage, interrupts()?, json, quiet).await;
    }
    if stage != Stage::Verify {
        return Err(Usage::StageWithoutChange { stage }.into());
    }
    let git = args.git.map(Some);
    let source = SourceArgs { project: args.project, dirty: args.dirty, git, reference: args.reference };
    let name = |given: Option<_>, default: &str| given.map_or_else(|| default.parse().map_err(Usage::from), Ok);
    let place =
        PlaceArgs { org: name(args.org, "default")?, pipeline: name(args.pipeline, "master")?, name: args.name };
    let place = place.resolve(source.dir())?;
    let Some(prepared) = source.prepare(args.title, String::new())? else { return Ok(EXIT_USAGE) };
    let client = connect()?;
    // Ctrl-C ends it: nothing is submitted yet.
    let change = prepared.upload(&client, quiet || json).await?;
    let mut interrupts = interrupts()?;
    let Some((change, interrupted)) = unless_left(submit(&client, &place, &change), &mut interrupts).await? else {
        note("left before the server answered: `shunt change list` shows what it has accepted");
        return Ok(EXIT_INTERRUPTED);
    };
    if detach {
        print_id(&change, json)?;
    }
    if !quiet {
        warn_of_obstacles(&client, change.id, stage).await;
    }
    if detach {
        return Ok(0);
    }
    if !quiet && !json {
        note(&format!("change {} of {}/{}/{}", change.id, change.org, change.project, change.pipeline));
    }
    follow(&client, Begun { change, past: BTreeSet::new(), interrupted }, stage, interrupts, json, quiet).await
}

/// Finds the run of the stage that is open or about to begin; else has the stage run again.
async fn join(client: &Client, change: &str, stage: Stage, failed_only: bool) -> Result<Begun, Failure> {
    let id = short_id::change(client, change).await?;
    let before = fetch(client, id).await?;
    let past = ended_runs(&before);
    let is_here = match standing(&before) {
        Standing::Running { stage: here } | Standing::Moving { to: here } => here == stage,
        Standing::Failed { .. } | Standing::AtGate { .. } | Standing::Arrived | Standing::Closed => false,
    };
    if is_here && !failed_only {
        return Ok(Begun { change: before, past, interrupted: false });
    }
    let action = if failed_only { Action::RerunFailed } else { Action::Trigger };
    if let Err(error) = action::send_at(client, &before, action, stage).await {
        return Err(refused(client, &before, error).await);
    }
    Ok(Begun { change: fetch(client, id).await?, past, interrupted: false })
}

async fn follow(
    client: &Client,
    begun: Begun,
    stage: Stage,
    interrupts: UnboundedReceiver<()>,
    json: bool,
    quiet: bool,
) -> Result<u8, Failure> {
    let Begun { change, past, interrupted } = begun;
    let (id, display) = (change.id, Display::new(json, quiet));
    let is_new = {
        let past = past.clone();
        move |run: &StageRunId| !past.contains(run)
    };
    let watch = Watch::new(client, change, past, Until::StageEnds(stage), OnInterrupt::Cancel, display);
    let (change, interrupted) = match watch.run(interrupts, interrupted).await {
        Ok(Watched::Ended { change, interrupted }) => (change, interrupted),
        Ok(Watched::Left) => return Ok(EXIT_INTERRUPTED),
        Err(failure) => {
            note(&format!("change {id} goes on without this command: shunt change show {id}"));
            return Err(failure);
        }
    };
    if !json && !quiet {
        stands(client, &change).await;
    }
    let run = change.stages.iter().find(|run| run.stage == stage && is_new(&run.run));
    let passed = run.is_some_and(|run| matches!(run.status, Status::Passed | Status::Skipped));
    Ok(match (passed, interrupted) {
        (true, _) => 0,
        (false, true) => EXIT_INTERRUPTED,
        (false, false) => EXIT_ERROR,
    })
}

fn print_id(change: &ChangeBody, json: bool) -> Result<u8, Failure> {
    if json {
        print(pretty(&json!(change), stdout_colour()).as_bytes())?;
    } else {
        print(format!("{}\n", change.id).as_bytes())?;
    }
    Ok(0)
}
