//! `shunt project limit`: how many jobs of a project may run at a time.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::ProjectLimits;

use crate::client::{Client, encode, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{print, stdout_colour};

/// Show or set how many jobs of a project may run at a time
///
/// What runs goes on; jobs over the limit wait, and keep nobody behind them waiting.
#[derive(Args, Debug)]
pub struct LimitArgs {
    /// Name of the project, as its jobs say it
    project: Name,
    /// Jobs at a time; 0 for none, `none` for no limit [default: show it]
    #[arg(value_parser = running)]
    running: Option<Running>,
    /// Organisation of the project
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// A limit as it is written; `none` takes it away.
#[derive(Clone, Copy, Debug)]
struct Running(Option<u32>);

fn running(text: &str) -> Result<Running, String> {
    match text {
        "none" => Ok(Running(None)),
        number => number.parse().map(|running| Running(Some(running))).map_err(|_| "a number of jobs, or none".into()),
    }
}

/// # Errors
/// `Failure` when the server refuses, or standard output fails.
pub async fn run(client: &Client, args: LimitArgs) -> Result<u8, Failure> {
    let url = client.url(&format!("orgs/{}/projects/{}/limits", args.org, args.project), &[]);
    let answer = match args.running {
        None => client.answer(Method::GET, &url, None).await?,
        Some(Running(running)) => {
            let body = encode(&url, &ProjectLimits { running })?;
            client.answer(Method::PUT, &url, Some(body)).await?
        }
    };
    let limits: ProjectLimits = parse(&url, &answer.bytes)?;
    if args.json {
        print(pretty(&serde_json::json!(limits), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let told = match limits.running {
        None => format!("project {} has no limit\n", args.project),
        Some(1) => format!("1 job of project {} may run at a time\n", args.project),
        Some(n) => format!("{n} jobs of project {} may run at a time\n", args.project),
    };
    print(told.as_bytes())?;
    Ok(0)
}
