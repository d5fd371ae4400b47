//! `shunt change approve`, `deliver`, `retrigger`, `cancel` and `close`.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use reqwest::StatusCode;
use serde_json::json;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::Action;
use shuntyard_domain::wire::change::ChangeBody;

use crate::change::standing::latest;
use crate::change::words::{failed_jobs, next_steps};
use crate::change::{action, fetch, of_change};
use crate::client::Client;
use crate::client_error::{ClientError, Refusal};
use crate::commands::change::{done, ended_runs, follow, show, stands};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{print, stdout_colour};

#[derive(Args, Debug)]
pub struct ActArgs {
    /// Id of the change, or a part of its beginning or end
    id: String,
    /// Follow it until it waits for a person or ends; Ctrl-C leaves, and the change goes on
    #[arg(short, long)]
    follow: bool,
    /// Print the change as it is then as JSON; with --follow one JSON event a line
    #[arg(long)]
    json: bool,
}

/// Run the stage in which a change stands again, as a new run
#[derive(Args, Debug)]
pub struct RetriggerArgs {
    /// Id of the change, or a part of its beginning or end
    id: String,
    /// The stage; only the one in which the change stands can be run again [default: that one]
    #[arg(long, value_parser = stage_parser())]
    stage: Option<Stage>,
    /// Only the rows that failed or were left out; those that passed are carried over
    #[arg(long)]
    failed_only: bool,
    /// Follow it until it waits for a person or ends; Ctrl-C leaves, and the change goes on
    #[arg(short, long)]
    follow: bool,
    /// Print the change as it is then as JSON; with --follow one JSON event a line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct EndArgs {
    /// Id of the change, or a part of its beginning or end
    id: String,
    /// Print the change as it is then as JSON
    #[arg(long)]
    json: bool,
}

/// The words of the stages.
pub fn stage_parser() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.iter().map(|stage| stage.as_str())).try_map(|word| word.parse::<Stage>())
}

/// # Errors
/// `Failure`, with the server's sentence when the action is not allowed.
pub async fn open_gate(client: &Client, args: ActArgs, action: Action) -> Result<u8, Failure> {
    let id = short_id::change(client, &args.id).await?;
    let before = fetch(client, id).await?;
    if let Err(error) = action::send(client, &before, action).await {
        return Err(refused(client, &before, error).await);
    }
    let word = if action == Action::Approve { "approved" } else { "delivered" };
    answer(client, &before, word, args.follow, args.json).await
}

/// # Errors
/// As `open_gate`.
pub async fn retrigger(client: &Client, args: RetriggerArgs) -> Result<u8, Failure> {
    let id = short_id::change(client, &args.id).await?;
    let before = fetch(client, id).await?;
    let stage = args.stage.unwrap_or_else(|| latest(&before).map_or(Stage::Verify, |run| run.stage));
    let action = if args.failed_only { Action::RerunFailed } else { Action::Trigger };
    if let Err(error) = action::send_at(client, &before, action, stage).await {
        return Err(refused(client, &before, error).await);
    }
    answer(client, &before, &format!("{stage} is run again"), args.follow, args.json).await
}

/// # Errors
/// As `open_gate`.
pub async fn end(client: &Client, args: EndArgs, action: Action) -> Result<u8, Failure> {
    let id = short_id::change(client, &args.id).await?;
    let before = fetch(client, id).await?;
    if let Err(error) = action::send(client, &before, action).await {
        return Err(refused(client, &before, error).await);
    }
    let word = if action == Action::Cancel { "cancel requested" } else { "closed" };
    answer(client, &before, word, false, args.json).await
}

/// Adds to a refusal what is allowed now, with what to type for it.
pub async fn refused(client: &Client, before: &ChangeBody, error: ClientError) -> Failure {
    let not_allowed = |refusal: &Refusal| refusal.status == StatusCode::PRECONDITION_FAILED;
    match error {
        ClientError::Refused(refusal) if not_allowed(&refusal) => {
            let steps = next_steps(before, &show::jobs(client, failed_jobs(before)).await);
            let (refused, steps) = (ClientError::Refused(refusal), steps.trim_end().to_owned());
            if steps.is_empty() { refused.into() } else { Failure::NotAllowed { refused, steps } }
        }
        error => of_change(before.id, error),
    }
}

/// Says what was done and where the change stands now, or follows it.
async fn answer(client: &Client, before: &ChangeBody, word: &str, follows: bool, json: bool) -> Result<u8, Failure> {
    let id: ChangeId = before.id;
    if !json {
        done(&format!("change {id}: {word}"));
    }
    let now = fetch(client, id).await?;
    if follows {
        return follow(client, now, ended_runs(before), json).await;
    }
    if json {
        print(pretty(&json!(now), stdout_colour()).as_bytes())?;
    } else {
        stands(client, &now).await;
    }
    Ok(0)
}
