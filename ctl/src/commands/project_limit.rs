//! `shunt project limit`: how many jobs of a project may run at a time, and its quotas.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::ProjectLimits;

use crate::client::{Client, encode, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::run::size_arg;
use crate::terminal::{print, stdout_colour};

/// Show or set how many jobs of a project may run at a time, and its quotas
///
/// What runs goes on; jobs over RUNNING wait, and keep nobody behind them waiting. A submit over a quota is refused as a whole.
#[derive(Args, Debug)]
pub struct LimitArgs {
    /// Name of the project, as its jobs say it
    project: Name,
    /// Jobs at a time; 0 for none, `none` for no limit [default: show it]
    #[arg(value_parser = running)]
    running: Option<Own<u32>>,
    /// Jobs that may wait and run together; `default` for what the dispatcher's configuration says
    #[arg(long, value_name = "N", value_parser = number)]
    unfinished: Option<Own<u32>>,
    /// Size of one job's script, up to 1MiB; or `default`
    #[arg(long, value_name = "SIZE", value_parser = script_size)]
    script: Option<Own<u32>>,
    /// Rows of one phase run, up to 500; or `default`
    #[arg(long, value_name = "N", value_parser = number)]
    rows: Option<Own<u32>>,
    /// Output that a job may ask to keep, 64KiB to 1TiB; or `default`
    #[arg(long, value_name = "SIZE", value_parser = size)]
    log: Option<Own<u64>>,
    /// Organisation of the project
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// A limit as it is written; a word takes it away.
#[derive(Clone, Copy, Debug)]
struct Own<T>(Option<T>);

const DEFAULT: &str = "default";

fn running(text: &str) -> Result<Own<u32>, String> {
    match text {
        "none" => Ok(Own(None)),
        number => number.parse().map(|running| Own(Some(running))).map_err(|_| "a number of jobs, or none".into()),
    }
}

fn number(text: &str) -> Result<Own<u32>, String> {
    if text == DEFAULT {
        return Ok(Own(None));
    }
    text.parse().map(|number| Own(Some(number))).map_err(|_| "a number, or default".into())
}

fn size(text: &str) -> Result<Own<u64>, String> {
    if text == DEFAULT {
        return Ok(Own(None));
    }
    size_arg::parse(text).map(|bytes| Own(Some(bytes))).map_err(|error| error.to_string())
}

fn script_size(text: &str) -> Result<Own<u32>, String> {
    if text == DEFAULT {
        return Ok(Own(None));
    }
    let bytes = size_arg::bytes(text).map_err(|error| error.to_string())?;
    u32::try_from(bytes).map(|bytes| Own(Some(bytes))).map_err(|_| "up to 1MiB, or default".into())
}

impl LimitArgs {
    /// The limits with what was written on the command line; `None`: nothing was.
    fn changed(&self, mut limits: ProjectLimits) -> Option<ProjectLimits> {
        let before = limits;
        let given = self.running.is_some() || self.unfinished.is_some() || self.script.is_some();
        let given = given || self.rows.is_some() || self.log.is_some();
        limits.running = self.running.map_or(before.running, |Own(value)| value);
        limits.unfinished_jobs = self.unfinished.map_or(before.unfinished_jobs, |Own(value)| value);
        limits.script_bytes = self.script.map_or(before.script_bytes, |Own(value)| value);
        limits.matrix_rows = self.rows.map_or(before.matrix_rows, |Own(value)| value);
        limits.job_log_bytes = self.log.map_or(before.job_log_bytes, |Own(value)| value);
        given.then_some(limits)
    }
}

/// # Errors
/// `Failure` when the server refuses, or standard output fails.
pub async fn run(client: &Client, args: LimitArgs) -> Result<u8, Failure> {
    let url = client.url(&format!("orgs/{}/projects/{}/limits", args.org, args.project), &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    let mut limits: ProjectLimits = parse(&url, &answer.bytes)?;
    if let Some(changed) = args.changed(limits) {
        let answer = client.answer(Method::PUT, &url, Some(encode(&url, &changed)?)).await?;
        limits = parse(&url, &answer.bytes)?;
    }
    if args.json {
        print(pretty(&serde_json::json!(limits), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let mut told = match limits.running {
        None => format!("project {} has no limit\n", args.project),
        Some(1) => format!("1 job of project {} may run at a time\n", args.project),
        Some(n) => format!("{n} jobs of project {} may run at a time\n", args.project),
    };
    for (what, value) in [
        ("unfinished jobs", limits.unfinished_jobs.map(u64::from)),
        ("bytes of a script", limits.script_bytes.map(u64::from)),
        ("rows of a phase run", limits.matrix_rows.map(u64::from)),
        ("bytes of a job's output", limits.job_log_bytes),
    ] {
        told.extend(value.map(|value| format!("it may have up to {value} {what}\n")));
    }
    print(told.as_bytes())?;
    Ok(0)
}
