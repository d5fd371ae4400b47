//! `shunt cancel`: asks the server to cancel jobs.

mod chosen;

use clap::Args;
use clap::builder::PossibleValuesParser;
use reqwest::Method;
use serde_json::{Value, json};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::wire::api::JobBody;

use crate::client::Client;
use crate::commands::of_job;
use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{note, print, stdout_colour};

/// Cancel jobs: a queued one never starts, a running one is stopped on its host
///
/// By id, or with --all every unfinished job that the other flags choose, all of them together: after a question, or with
/// --yes. `shunt cancel --all --filter labels=gpu` ends what is on GPU runners, and what only they could take.
#[derive(Args, Debug)]
#[command(override_usage = "shunt cancel [OPTIONS] <ID>…\n       \
                            shunt cancel --all [--project <NAME>] [--filter <KEY=VALUE,…>]… [--state <STATE>] [--fan-out <ID>]")]
pub struct CancelArgs {
    /// Ids of the jobs, or parts of their beginnings or ends
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
    ids: Vec<String>,
    /// Every unfinished job that --project, --filter, --state and --fan-out leave
    #[arg(long)]
    all: bool,
    /// Only jobs of this project
    #[arg(long, value_name = "NAME", requires = "all")]
    project: Option<String>,
    /// Only jobs on runners that match, as in `shunt run`, and waiting jobs that no other runner could take
    #[arg(long, value_name = "KEY=VALUE,…", requires = "all")]
    filter: Vec<String>,
    /// Only jobs in this state; pending are those that do not run yet
    #[arg(long, requires = "all", value_parser = PossibleValuesParser::new(["queued", "pending", "running"]))]
    state: Option<String>,
    /// Only jobs of this fan-out; without other choices it starts no further ones either
    #[arg(long, value_name = "ID", requires = "all")]
    fan_out: Option<String>,
    /// Print what would be cancelled, and cancel nothing
    #[arg(long, requires = "all")]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long, requires = "all")]
    yes: bool,
    /// Print the jobs as JSON, as they are after the request; with --all as they were before it
    #[arg(long)]
    json: bool,
}

/// Asks for every job, also when one of them fails.
///
/// # Errors
/// `Failure` for a bad id, before anything is sent; or when standard output fails.
pub async fn run(client: &Client, args: CancelArgs) -> Result<u8, Failure> {
    if args.all {
        return chosen::run(client, args).await;
    }
    let mut ids = Vec::new();
    for id in &args.ids {
        ids.push(short_id::job(client, id).await?);
    }
    let (mut code, mut jobs) = (0, Vec::new());
    for id in ids {
        match cancel(client, id, args.json).await {
            Ok((_, job)) if args.json => jobs.push(job),
            Ok((Some(outcome), _)) => print(format!("job {id}: had ended already: {outcome}\n").as_bytes())?,
            Ok((None, _)) => print(format!("job {id}: cancel requested\n").as_bytes())?,
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

/// Cancels one job. Returns how it had ended, if it had, and with `show` what the server says of it then.
async fn cancel(client: &Client, id: JobId, show: bool) -> Result<(Option<Outcome>, Value), Failure> {
    let path = format!("jobs/{id}");
    let job: JobBody = client.get(&path).await.map_err(|error| of_job(id, error))?;
    client.answer(Method::DELETE, &client.url(&path, &[]), None).await.map_err(|error| of_job(id, error))?;
    Ok((job.outcome, if show { client.get(&path).await? } else { Value::Null }))
}
