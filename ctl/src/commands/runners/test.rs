//! `shunt ctl test-runner`: the staged connection check, shown as it goes.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::client::{Client, parse};
use crate::commands::runners::checked_hostname;
use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::steps::{self, StepsEnd};
use crate::terminal::{note, print, stdout_colour};

/// Test a runner: connect, log in, run the wrapper
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Name of the runner
    hostname: String,
    /// Print the runner as the server's JSON; its `health` has the result
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`; a runner that fails its Test is exit code 1, not a failure.
pub async fn run(client: &Client, args: TestArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let url = client.url(&format!("runners/{hostname}/health"), &[]);
    match steps::follow(client, Method::POST, &url, None, "Run the test again").await? {
        StepsEnd::Finished { .. } => {
            if args.json {
                print_runner(client, hostname).await?;
            } else {
                print(format!("runner {hostname} is ok\n").as_bytes())?;
            }
            Ok(0)
        }
        StepsEnd::Failed(failed) => {
            failed.report();
            if args.json {
                print_runner(client, hostname).await?;
            }
            Ok(EXIT_ERROR)
        }
        StepsEnd::HostKeyUnconfirmed { fingerprint, key_type } => {
            note(&format!(
                "failed: the runner shows a host key that is not pinned: {key_type} {fingerprint}\n  \
                 try: compare it on the host; if it was really changed, `shunt ctl accept-host-key`"
            ));
            Ok(EXIT_ERROR)
        }
    }
}

async fn print_runner(client: &Client, hostname: &str) -> Result<(), Failure> {
    let url = client.url(&format!("runners/{hostname}"), &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    let value: Value = parse(&url, &answer.bytes)?;
    print(pretty(&value, stdout_colour()).as_bytes())
}
