//! `shunt cancel`: asks the server to cancel jobs.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use shuntyard_domain::ids::JobId;

use crate::client::Client;
use crate::commands::of_job;
use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{note, print, stdout_colour};

/// Cancel jobs: a queued one never starts, a running one is stopped on its host
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// Ids of the jobs, or parts of their beginnings or ends
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print the jobs as JSON, as they are after the request
    #[arg(long)]
    json: bool,
}

/// Asks for every job, also when one of them fails.
///
/// # Errors
/// `Failure` for a bad id, before anything is sent; or when standard output fails.
pub async fn run(client: &Client, args: CancelArgs) -> Result<u8, Failure> {
    let mut ids = Vec::new();
    for id in &args.ids {
        ids.push(short_id::job(client, id).await?);
    }
    let (mut code, mut jobs) = (0, Vec::new());
    for id in ids {
        match cancel(client, id, args.json).await {
            Ok(job) if args.json => jobs.push(job),
            Ok(_) => print(format!("job {id}: cancel requested\n").as_bytes())?,
            Err(failure) => {
                note(&format!("error: job {id}: {failure}"));
                code = EXIT_ERROR;
            }
        }
    }
    if args.json {
        print(pretty(&json!(jobs), stdout_colour()).as_bytes())?;
    }
    Ok(code)
}

/// Cancels one job and, with `show`, returns what the server says of it then.
async fn cancel(client: &Client, id: JobId, show: bool) -> Result<Value, Failure> {
    let path = format!("jobs/{id}");
    client.answer(Method::DELETE, &client.url(&path, &[]), None).await.map_err(|error| of_job(id, error))?;
    if show { Ok(client.get(&path).await?) } else { Ok(Value::Null) }
}
