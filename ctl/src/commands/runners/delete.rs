//! `shunt ctl delete-runner`: removes key, wrapper and work directory on the host, then the record.

use clap::Args;
use reqwest::Method;

use crate::client::Client;
use crate::commands::runners::checked_hostname;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::steps::{self, StepsEnd};
use crate::terminal::{can_ask, confirm, note, plain, print};

/// Remove a runner, and what its enrolment left on the host
///
/// A runner with jobs is refused, unless --drain, --cancel-jobs or --force says what becomes of them. When --drain or
/// --cancel-jobs is stopped while it waits, the runner stays draining and nothing was removed.
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the runner
    hostname: String,
    /// Let it finish its jobs first; waits for them
    #[arg(long)]
    drain: bool,
    /// Cancel its jobs first; waits until the host says that they ended
    #[arg(long, conflicts_with = "drain")]
    cancel_jobs: bool,
    /// Remove the record even when the host cannot be reached; says what was left there
    #[arg(long, conflicts_with_all = ["drain", "cancel_jobs"])]
    force: bool,
    /// Why: stays in the runner's history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn run(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    if !args.yes {
        if !can_ask() {
            return Err(Usage::ConfirmationNeeded.into());
        }
        if !confirm(&format!("Remove runner {hostname}, its key, wrapper and work directory?"))? {
            return Err(Failure::Declined);
        }
    }
    let chosen = [("drain", args.drain), ("cancel_jobs", args.cancel_jobs), ("force", args.force)];
    let chosen = chosen.into_iter().filter(|(_, on)| *on).map(|(key, _)| (key, "true".to_owned()));
    let query: Vec<_> = chosen.chain(args.reason.map(|reason| ("reason", reason))).collect();
    remove(client, hostname, &query).await
}

/// Removes a runner, shows the steps, and says how it ended.
///
/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn remove(client: &Client, hostname: &str, query: &[(&str, String)]) -> Result<u8, Failure> {
    let url = client.url(&format!("runners/{hostname}"), query);
    match steps::follow(client, Method::DELETE, &url, None, "Delete the runner again: that is safe").await? {
        StepsEnd::Finished { left_behind, .. } => {
            for line in left_behind {
                note(&format!("left on the host: {}", plain(&line)));
            }
            print(format!("runner {hostname} is removed\n").as_bytes())?;
            Ok(0)
        }
        StepsEnd::Failed(failed) => {
            failed.report();
            Ok(EXIT_ERROR)
        }
        StepsEnd::HostKeyUnconfirmed { fingerprint, key_type } => {
            note(&format!(
                "failed: the host shows a key that is not pinned ({key_type} {fingerprint}); nothing was sent to it\n  \
                 try: --force removes the record and leaves the host as it is"
            ));
            Ok(EXIT_ERROR)
        }
    }
}
