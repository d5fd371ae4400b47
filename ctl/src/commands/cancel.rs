//! `shunt cancel`: asks the server to cancel jobs.

use clap::Args;
use reqwest::Method;

use crate::client::Client;
use crate::commands::job_id;
use crate::failure::{EXIT_ERROR, Failure};
use crate::terminal::{note, print};

/// Cancel jobs: a queued one never starts, a running one is stopped on its host
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// Ids of the jobs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Asks for every job, also when one of them fails.
///
/// # Errors
/// `Failure` for a bad id, before anything is sent.
pub async fn run(client: &Client, args: CancelArgs) -> Result<u8, Failure> {
    let ids = args.ids.iter().map(|id| job_id(id)).collect::<Result<Vec<_>, _>>()?;
    let mut code = 0;
    for id in ids {
        match client.answer(Method::DELETE, &client.url(&format!("jobs/{id}"), &[]), None).await {
            Ok(_) => print(format!("job {id}: cancel requested\n").as_bytes())?,
            Err(error) => {
                note(&format!("error: job {id}: {error}"));
                code = EXIT_ERROR;
            }
        }
    }
    Ok(code)
}
