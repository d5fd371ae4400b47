//! `shunt logs`: a job's output, byte for byte.

use clap::Args;

use crate::client::Client;
use crate::commands::job_id;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::terminal::{note, print};

/// Print a job's output
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
    /// Id of the job
    id: String,
}

/// # Errors
/// `Failure` for a bad id, or when the server or standard output fails.
pub async fn run(client: &Client, args: LogsArgs) -> Result<u8, Failure> {
    let id = job_id(&args.id)?;
    if !args.follow {
        let mut response = client.bytes(&client.url(&format!("jobs/{id}/log"), &[])).await?;
        while let Some(bytes) = client.chunk(&mut response).await? {
            print(&bytes)?;
        }
        return Ok(0);
    }
    let mut follower = Follower::new(id);
    loop {
        match follower.next(client).await? {
            Followed::Output(bytes) => print(&bytes)?,
            Followed::State(_) => {}
            Followed::Lost { why } => note(&format!("lost contact with the server ({why}); trying again")),
            Followed::Back => note("the server is back"),
            Followed::End(_) => return Ok(0),
        }
    }
}
