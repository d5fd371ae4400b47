//! `shunt change`: one file each command.

pub mod act;
pub mod follow;
pub mod list;
pub mod show;
pub mod submit;

use std::collections::BTreeSet;

use clap::Subcommand;
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::stage::{Action, Standing, Status};
use shuntyard_domain::wire::change::ChangeBody;

use crate::change::standing::{sentence, standing};
use crate::change::watch::{Display, OnInterrupt, Until, Watch, Watched};
use crate::change::words::{failed_jobs, marked, next_steps};
use crate::client::Client;
use crate::failure::{EXIT_ERROR, EXIT_INTERRUPTED, Failure};
use crate::run::interrupts::interrupts;
use crate::terminal::{note, stderr_colour};

#[derive(Subcommand, Debug)]
pub enum ChangeCommand {
    Submit(submit::SubmitArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Follow(follow::FollowArgs),
    /// Let a change that has passed verify go on into build and acceptance
    Approve(act::ActArgs),
    /// Let a change that has passed acceptance go on into union, rehearsal and delivered
    Deliver(act::ActArgs),
    Retrigger(act::RetriggerArgs),
    /// Stop the run that is open; its jobs are stopped on their hosts
    Cancel(act::EndArgs),
    /// Give a change up that is not approved; what runs is stopped
    Close(act::EndArgs),
}

/// # Errors
/// `Failure`, to be shown as one sentence.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, command: ChangeCommand) -> Result<u8, Failure> {
    match command {
        ChangeCommand::Submit(args) => submit::run(connect, args).await,
        ChangeCommand::List(args) => list::run(&connect()?, args).await,
        ChangeCommand::Show(args) => show::run(&connect()?, args).await,
        ChangeCommand::Follow(args) => follow::run(&connect()?, args).await,
        ChangeCommand::Approve(args) => act::open_gate(&connect()?, args, Action::Approve).await,
        ChangeCommand::Deliver(args) => act::open_gate(&connect()?, args, Action::Deliver).await,
        ChangeCommand::Retrigger(args) => act::retrigger(&connect()?, args).await,
        ChangeCommand::Cancel(args) => act::end(&connect()?, args, Action::Cancel).await,
        ChangeCommand::Close(args) => act::end(&connect()?, args, Action::Close).await,
    }
}

/// The runs of a change that have ended.
pub fn ended_runs(change: &ChangeBody) -> BTreeSet<StageRunId> {
    change.stages.iter().filter(|run| run.finished_at.is_some()).map(|run| run.run).collect()
}

/// Follows until the change waits for a person or ends; the exit code says whether anything has failed.
pub async fn follow(
    client: &Client,
    change: ChangeBody,
    past: BTreeSet<StageRunId>,
    json: bool,
) -> Result<u8, Failure> {
    let interrupts = interrupts()?;
    let display = Display::new(json, false);
    let watch = Watch::new(client, change, past, Until::Waits, OnInterrupt::Leave, display);
    match watch.run(interrupts, false).await? {
        Watched::Left => Ok(EXIT_INTERRUPTED),
        Watched::Ended { change, .. } => {
            if !json {
                stands(client, &change).await;
            }
            Ok(match standing(&change) {
                Standing::Failed { .. } | Standing::Closed => EXIT_ERROR,
                Standing::AtGate { .. } | Standing::Arrived | Standing::Moving { .. } | Standing::Running { .. } => 0,
            })
        }
    }
}

/// Says where the change stands and what may be done, on standard error.
pub async fn stands(client: &Client, change: &ChangeBody) {
    let jobs = show::jobs(client, failed_jobs(change)).await;
    let steps = next_steps(change, &jobs);
    note(format!("change {}: {}\n{steps}", change.id, sentence(change)).trim_end_matches('\n'));
}

/// Says that something was done.
pub fn done(text: &str) {
    note(&marked(Status::Passed, text, stderr_colour()));
}
