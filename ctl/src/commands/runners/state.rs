//! `shunt ctl drain`, `disable` and `enable`: whether runners take jobs.

use clap::Args;
use shuntyard_domain::runner::{RunnerState, check_reason};
use shuntyard_domain::wire::api::{PatchRunner, RunnerBody};

use crate::client::Client;
use crate::commands::runners::{checked_hostname, patch, that_exist};
use crate::failure::{Failure, Usage};
use crate::terminal::{plain, print};

#[derive(Args, Debug)]
pub struct StateArgs {
    /// Names of the runners
    #[arg(required = true, value_name = "HOSTNAME")]
    hostnames: Vec<String>,
    /// Why, in one line; lists and explanations show it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// # Errors
/// `Usage` before anything is sent; `Failure` when the server refuses. Every runner is looked up before the first is
/// changed.
pub async fn run(client: &Client, state: RunnerState, args: StateArgs) -> Result<u8, Failure> {
    args.hostnames.iter().try_for_each(|hostname| checked_hostname(hostname).map(drop))?;
    if let Some(reason) = &args.reason {
        check_reason(reason).map_err(Usage::BadName)?;
    }
    that_exist(client, &args.hostnames).await?;
    for hostname in &args.hostnames {
        let body = PatchRunner { state: Some(state), reason: args.reason.clone(), ..PatchRunner::default() };
        print(line(&patch(client, hostname, &body).await?).as_bytes())?;
    }
    Ok(0)
}

fn line(runner: &RunnerBody) -> String {
    let jobs = match (runner.state, runner.running_jobs.len()) {
        (RunnerState::Enrolled, _) | (_, 0) => String::new(),
        (_, 1) => "; 1 job still runs there".to_owned(),
        (_, jobs) => format!("; {jobs} jobs still run there"),
    };
    plain(&format!("{}: {}{jobs}", runner.hostname, described(runner))) + "\n"
}

/// The state, and since when, by whom and why.
pub fn described(runner: &RunnerBody) -> String {
    let note = runner.state_note.iter().map(|note| format!(" {note}")).collect::<String>();
    format!("{}{note}", runner.state)
}
