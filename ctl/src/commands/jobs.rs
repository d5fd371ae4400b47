//! `shunt jobs`: unfinished jobs, or history.

use std::time::{Duration, SystemTime};

use clap::Args;
use clap::builder::PossibleValuesParser;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::runner::check_hostname;
use shuntyard_domain::wire::api::JobBody;

use crate::client::{Client, parse, unknown_shape};
use crate::client_error::ClientError;
use crate::commands::{list_pages, of_job};
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::short_id;
use crate::table;
use crate::terminal::{note, plain, print, stdout_colour};

const HEADER: [&str; 6] = ["ID", "STATE", "PHASE/TITLE", "RUNNER", "AGE", "EXIT"];
const TITLE_MAX_CHARS: usize = 60;
const MAX_LISTED: i64 = 10_000;

/// List jobs; without flags the unfinished ones. With an ID that job, and how it was stopped
#[derive(Args, Debug)]
pub struct JobsArgs {
    /// Id of one job, or a part of its beginning or end
    #[arg(conflicts_with_all = ["all", "state", "project", "runner", "fan_out", "limit"])]
    id: Option<String>,
    /// Finished jobs too
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// Only jobs in this state
    #[arg(long, value_parser = PossibleValuesParser::new(states()))]
    state: Option<String>,
    /// Only jobs of this project
    #[arg(long)]
    project: Option<String>,
    /// Only jobs of this runner
    #[arg(long, value_name = "HOSTNAME")]
    runner: Option<String>,
    /// Only jobs of this fan-out
    #[arg(long, value_name = "ID")]
    fan_out: Option<String>,
    /// At most this many, up to 10000; running ones go first, then the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MAX_LISTED))]
    limit: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// The words of a job's state: those on its way, then the outcomes.
fn states() -> Vec<&'static str> {
    let mut states = vec!["queued", "assigned", "starting", "running"];
    states.extend(Outcome::ALL.iter().map(|outcome| outcome.as_str()));
    states
}

/// # Errors
/// `Failure` for a bad flag, or when the server or standard output fails.
pub async fn run(client: &Client, args: JobsArgs) -> Result<u8, Failure> {
    match &args.id {
        Some(id) => one(client, short_id::job(client, id).await?, args.json).await,
        None => list(client, &args).await,
    }
}

async fn one(client: &Client, id: JobId, json: bool) -> Result<u8, Failure> {
    let url = client.url(&format!("jobs/{id}"), &[]);
    let answer = client.answer(Method::GET, &url, None).await.map_err(|error| of_job(id, error))?;
    if json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
    } else {
        show(&[parse(&url, &answer.bytes)?], answer.server_time)?;
    }
    Ok(0)
}

async fn list(client: &Client, args: &JobsArgs) -> Result<u8, Failure> {
    let mut query = query(args)?;
    if let Some(id) = &args.fan_out {
        query.push(("fan_out", short_id::fan_out(client, id).await?.to_string()));
    }
    let mut list = list_pages::newest(client, "jobs", &query, args.limit).await?;
    if list.more && args.state.is_none() {
        // The running ones are old by nature: a long queue would hide just them.
        query.retain(|(key, _)| *key != "state");
        query.push(("state", "running".to_owned()));
        let running = list_pages::newest(client, "jobs", &query, args.limit).await?;
        list.put_first(running.items, args.limit);
    }
    let (shown, more) = (list.items.len(), list.more);
    if args.json {
        print(pretty(&Value::Array(list.items), stdout_colour()).as_bytes())?;
    } else {
        show(&read(client, list.items)?, list.server_time)?;
    }
    if more {
        note(&format!(
            "there are more than these {shown}: --limit N shows up to {MAX_LISTED}; --state, --project, --runner and --fan-out choose"
        ));
    }
    Ok(0)
}

/// The newest jobs that a query asks for, as a table; empty when there are none.
///
/// # Errors
/// `ClientError`
pub async fn listed(client: &Client, query: &[(&str, String)], limit: u32) -> Result<String, ClientError> {
    let list = list_pages::newest(client, "jobs", query, limit).await?;
    let jobs = read(client, list.items)?;
    Ok(if jobs.is_empty() { String::new() } else { table_of(&jobs, list.server_time) })
}

fn read(client: &Client, items: Vec<Value>) -> Result<Vec<JobBody>, ClientError> {
    let url = client.url("jobs", &[]);
    items.into_iter().map(|job| JobBody::deserialize(job).map_err(|error| unknown_shape(&url, error))).collect()
}

fn table_of(jobs: &[JobBody], server_time: Option<SystemTime>) -> String {
    table::render(&HEADER, jobs.iter().map(|job| row(job, server_time)).collect())
}

fn show(jobs: &[JobBody], server_time: Option<SystemTime>) -> Result<(), Failure> {
    print(table_of(jobs, server_time).as_bytes())?;
    print(jobs.iter().map(how_it_went).collect::<String>().as_bytes())
}

/// A line for each attempt that was lost, one with the receipt of a job that was stopped, and what it has left.
pub fn how_it_went(job: &JobBody) -> String {
    let lost = job.attempts.iter().map(ToString::to_string).filter(|line| !line.is_empty());
    let stopped = job.receipt.iter().map(|receipt| format!("stopped: {receipt}"));
    let left = job.outputs.iter().map(|(key, value)| format!("output: {key}={value}"));
    let left = left.chain(job.outputs_fault.iter().map(|why| format!("no outputs: {why}")));
    let left = left.chain((job.artifacts > 0).then(|| format!("artifacts: {} file(s)", job.artifacts)));
    let left = left.chain(job.artifacts_fault.iter().map(|why| format!("artifacts not kept: {why}")));
    let deleted = job.deleted_runner.iter().map(|runner| {
        let (facts, labels) = (&runner.facts, runner.labels.iter().cloned().collect::<Vec<_>>().join(" "));
        let labels = if labels.is_empty() { labels } else { format!(", {labels}") };
        let was = format!("{} {}, {}{labels}", facts.platform, facts.platform_version, facts.arch);
        format!("runner {} ({was}) was deleted at {}", runner.hostname, runner.deleted_at)
    });
    lost.chain(stopped).chain(left).chain(deleted).map(|line| plain(&line) + "\n").collect()
}

fn query(args: &JobsArgs) -> Result<Vec<(&'static str, String)>, Usage> {
    let mut query = Vec::new();
    if args.all {
        query.push(("state", "all".to_owned()));
    }
    query.extend(args.state.iter().map(|state| ("state", state.clone())));
    query.extend(args.project.iter().map(|project| ("project", project.clone())));
    if let Some(runner) = &args.runner {
        check_hostname(runner)?;
        query.push(("runner", runner.clone()));
    }
    Ok(query)
}

fn row(job: &JobBody, server_time: Option<SystemTime>) -> Vec<String> {
    let title = match job.phase {
        // A phase job's title begins with its phase.
        Some(phase) if !job.title.starts_with(phase.as_str()) => format!("{phase} {}", job.title),
        _ => job.title.clone(),
    };
    let title = if job.project.is_empty() { title } else { format!("{}: {title}", job.project) };
    let created = humantime::parse_rfc3339(&job.created_at).ok();
    // Both times are the server's, so this machine's clock does not matter.
    let age = created.zip(server_time).map(|(created, now)| age(created, now));
    vec![
        job.id.to_string(),
        state(job),
        shortened(&title),
        job.runner.clone().unwrap_or_default(),
        age.map(short_duration).unwrap_or_default(),
        job.exit_code.map(|code| code.to_string()).unwrap_or_default(),
    ]
}

/// The server's time has whole seconds: a job that is younger seems to come from the future.
fn age(created: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(created).unwrap_or_default()
}

fn state(job: &JobBody) -> String {
    match (&job.cancel_requested_at, job.outcome) {
        (Some(_), None) => format!("{} (cancelling)", job.state),
        _ => job.state.clone(),
    }
}

/// A title as lists have it; one that is cut ends in `…`.
#[must_use]
pub fn shortened(title: &str) -> String {
    let mut short: String = title.chars().take(TITLE_MAX_CHARS).collect();
    if short.len() < title.len() {
        short.push('…');
    }
    short
}

/// `12s`, `5m`, `3h`, `2d`: one unit, rounded down.
/// In one unit.
#[must_use]
pub fn short_duration(duration: Duration) -> String {
    match duration.as_secs() {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86_400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_in_its_first_second_has_an_age() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(short_duration(age(now + Duration::from_millis(900), now)), "0s");
        assert_eq!(short_duration(age(now - Duration::from_secs(3), now)), "3s");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (200_000, "2d")] {
            assert_eq!(short_duration(Duration::from_secs(seconds)), text);
        }
    }
}
