//! `shunt ctl test-runner`: the staged connection check, shown as it goes.

use clap::Args;
use reqwest::Method;

use crate::client::Client;
use crate::commands::runners::checked_hostname;
use crate::failure::{EXIT_ERROR, Failure};
use crate::steps;
use crate::terminal::print;

/// Test a runner: connect, log in, run the wrapper
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Name of the runner
    hostname: String,
}

/// # Errors
/// `Failure`; a runner that fails its Test is exit code 1, not a failure.
pub async fn run(client: &Client, args: TestArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let url = client.url(&format!("runners/{hostname}/health"), &[]);
    let end = steps::follow(client, Method::POST, &url, None, "Run the test again").await?;
    if end.reported("compare it on the host; if it was really changed, enrol the runner again").is_none() {
        return Ok(EXIT_ERROR);
    }
    print(format!("runner {hostname} is ok\n").as_bytes())?;
    Ok(0)
}
