//! `shunt change show`: one change, its runs, phases and rows, and what may be done about it.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::JobBody;

use crate::change::{fetch, of_change, shown};
use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{print, stdout_colour};

/// Jobs that are asked for at a time, and at most.
const AT_A_TIME: usize = 8;
const JOBS_MAX: usize = 100;

/// Show a change: its way through the pipeline, phases, rows with their jobs, and what to type next
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Id of the change, or a part of its beginning or end
    id: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` for an unknown id, or when the server or standard output fails.
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    let id = short_id::change(client, &args.id).await?;
    if args.json {
        let url = client.url(&format!("changes/{id}"), &[]);
        let answer = client.answer(Method::GET, &url, None).await.map_err(|error| of_change(id, error))?;
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let change = fetch(client, id).await?;
    let jobs = jobs(client, shown::jobs_of_interest(&change)).await;
    print(shown::text(&change, &jobs, stdout_colour()).as_bytes())?;
    Ok(0)
}

/// What is known about jobs; one that cannot be asked for is shown without.
pub async fn jobs(client: &Client, ids: Vec<JobId>) -> BTreeMap<JobId, JobBody> {
    let ids = ids.into_iter().take(JOBS_MAX);
    let asked = ids.map(|id| async move { client.get::<JobBody>(&format!("jobs/{id}")).await.ok() });
    let jobs: Vec<Option<JobBody>> = futures_util::stream::iter(asked).buffered(AT_A_TIME).collect().await;
    jobs.into_iter().flatten().map(|job| (job.id, job)).collect()
}
