//! `shunt ctl approve`: lets a host that has enrolled itself take jobs.

use clap::Args;
use serde_json::{Value, json};
use shuntyard_domain::wire::api::RunnerBody;

use crate::client::Client;
use crate::commands::runners::checked_hostname;
use crate::failure::Failure;
use crate::terminal::print;

/// Let a host that has enrolled itself take jobs
///
/// With `[enrolment] approval = true` such a host is connected to and tested, and waits as `pending`. To turn it down, use
/// delete-runner.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// Name of the runner
    hostname: String,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: ApproveArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let nothing: Value = json!({});
    let runner: RunnerBody = client.post(&format!("runners/{hostname}/approve"), &nothing).await?;
    print(format!("runner {hostname} is {}\n", runner.state).as_bytes())?;
    Ok(0)
}
