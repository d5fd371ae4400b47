//! `shunt cancel --all`: every unfinished job that the flags choose.

use std::collections::BTreeMap;

use serde_json::json;
use shuntyard_domain::wire::fan_out::{CancelJobs, CancelledJob, CancelledJobs};

use super::CancelArgs;
use crate::client::Client;
use crate::failure::{Failure, Usage};
use crate::fan_out::of_fan_out;
use crate::pretty_json::pretty;
use crate::run::filter_arg;
use crate::short_id;
use crate::terminal::{can_ask, confirm, note, plain, print, stdout_colour};

/// Jobs that are shown before the question.
const SHOWN_MAX: usize = 10;

/// Shows what is chosen, asks, and has it cancelled.
///
/// # Errors
/// `Usage::ConfirmationNeeded` without a terminal and without --yes; nothing was cancelled then.
pub async fn run(client: &Client, args: CancelArgs) -> Result<u8, Failure> {
    let fan_out = match &args.fan_out {
        Some(id) => Some(short_id::fan_out(client, id).await?),
        None => None,
    };
    let runners = filter_arg::parse(&args.filter)?;
    let request = CancelJobs { project: args.project, state: args.state, runners, fan_out, dry_run: true };
    if !args.dry_run && !args.yes && !can_ask() {
        return Err(Usage::ConfirmationNeeded.into());
    }
    if args.dry_run || !args.yes {
        let chosen = ask(client, &request).await?;
        if args.dry_run && args.json {
            print(pretty(&json!(chosen.jobs), stdout_colour()).as_bytes())?;
            return Ok(0);
        }
        if args.dry_run {
            print(chosen.jobs.iter().map(line).collect::<String>().as_bytes())?;
            note(&format!("{}; nothing was cancelled", counted(&chosen.jobs, chosen.more)));
            return Ok(0);
        }
        if chosen.jobs.is_empty() && fan_out.is_none() {
            note("no unfinished job is chosen: nothing to cancel");
            return Ok(0);
        }
        chosen.jobs.iter().take(SHOWN_MAX).for_each(|job| note(line(job).trim_end()));
        if chosen.jobs.len() > SHOWN_MAX {
            note(&format!("and {} more", chosen.jobs.len() - SHOWN_MAX));
        }
        if !confirm(&format!("Cancel {}?", counted(&chosen.jobs, chosen.more)))? {
            return Err(Failure::Declined);
        }
    }
    let request = CancelJobs { dry_run: false, ..request };
    let mut cancelled: Vec<CancelledJob> = Vec::new();
    loop {
        let answer = ask(client, &request).await?;
        if !args.json {
            let said = |job: &CancelledJob| format!("job {}: cancel requested\n", job.id);
            print(answer.jobs.iter().map(said).collect::<String>().as_bytes())?;
        }
        cancelled.extend(answer.jobs);
        if !answer.more {
            break;
        }
    }
    if args.json {
        print(pretty(&json!(cancelled), stdout_colour()).as_bytes())?;
    } else {
        note(&counted(&cancelled, false));
    }
    Ok(0)
}

async fn ask(client: &Client, request: &CancelJobs) -> Result<CancelledJobs, Failure> {
    client.post("jobs/cancel", request).await.map_err(|error| match request.fan_out {
        Some(id) => of_fan_out(id, error),
        None => error.into(),
    })
}

fn line(job: &CancelledJob) -> String {
    let runner = job.runner.as_ref().map(|runner| format!(" on {runner}")).unwrap_or_default();
    plain(&format!("{}  {}{runner}  {}", job.id, job.state, job.title)) + "\n"
}

/// `3 jobs: 1 running, 2 queued`
fn counted(jobs: &[CancelledJob], more: bool) -> String {
    let mut by_state: BTreeMap<&str, usize> = BTreeMap::new();
    jobs.iter().for_each(|job| *by_state.entry(&job.state).or_default() += 1);
    let states: Vec<String> = by_state.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let (count, plus) = (jobs.len(), if more { " and more" } else { "" });
    let colon = if states.is_empty() { "" } else { ": " };
    format!("{count}{plus} job{}{colon}{}", if count == 1 { "" } else { "s" }, states.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_counted_by_state() {
        let job = |state: &str| CancelledJob {
            id: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
            title: "t".into(),
            project: String::new(),
            state: state.into(),
            runner: Some("u1".into()),
        };
        assert_eq!(counted(&[job("queued"), job("running"), job("queued")], false), "3 jobs: 2 queued, 1 running");
        assert_eq!(counted(&[], false), "0 jobs");
        assert_eq!(counted(&[job("queued")], true), "1 and more job: 1 queued");
        assert_eq!(line(&job("running")), "01890000-0000-7000-8000-000000000001  running on u1  t\n");
    }
}
