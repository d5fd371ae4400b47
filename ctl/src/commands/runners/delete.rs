//! `shunt ctl delete-runner`: removes key, wrapper and work directory on the host, then the record.

use clap::Args;
use reqwest::Method;

use crate::client::Client;
use crate::commands::runners::checked_hostname;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::steps::{self, StepsEnd};
use crate::terminal::{can_ask, confirm, note, plain, print};

/// Remove a runner, and what its enrolment left on the host
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the runner
    hostname: String,
    /// Remove the record even when the host cannot be reached; says what was left there
    #[arg(long)]
    force: bool,
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
    let query = if args.force { vec![("force", "true".to_owned())] } else { Vec::new() };
    let url = client.url(&format!("runners/{hostname}"), &query);
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
