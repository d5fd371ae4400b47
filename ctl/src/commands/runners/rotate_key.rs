//! `shunt ctl rotate-key`: another key for runners, proved before the old one goes.

use clap::Args;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::json;
use shuntyard_domain::wire::api::RunnerBody;

use crate::client::Client;
use crate::commands::runners::{checked_hostname, that_exist};
use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::steps::{self, StepsEnd};
use crate::terminal::{note, plain, print, stdout_colour};

/// Runners that are given a key at a time.
const AT_A_TIME: usize = 4;
const IF_CUT: &str = "Run the command again: the runner works with the key that is stored";

/// Give runners another key
///
/// The dispatcher makes a key pair, puts its public half beside the present one over the connection that it has, logs in with
/// it and runs a small job, stores it, and removes the old one. Jobs go on. Whatever fails, the runner works on with the key
/// that is stored; the command can be run again.
///
/// Exit code: 0 when every runner has a new key, else 1.
#[derive(Args, Debug)]
#[command(override_usage = "shunt ctl rotate-key [OPTIONS] <HOSTNAME>…\n       shunt ctl rotate-key [OPTIONS] --all")]
#[command(after_long_help = "Examples:
  shunt ctl rotate-key build-1     one runner, step by step
  shunt ctl rotate-key --all       every runner but the local one, four at a time")]
pub struct RotateKeyArgs {
    /// Names of the runners
    #[arg(required_unless_present = "all", value_name = "HOSTNAME")]
    hostnames: Vec<String>,
    /// Every runner but the local one
    #[arg(long, conflicts_with = "hostnames")]
    all: bool,
    /// Print what became of each runner as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` before anything is changed; a runner that keeps its key is exit code 1, not a failure.
pub async fn run(client: &Client, args: RotateKeyArgs) -> Result<u8, Failure> {
    let hostnames = if args.all {
        let runners: Vec<RunnerBody> = client.get("runners").await?;
        runners.into_iter().filter(|runner| !runner.local).map(|runner| runner.hostname).collect()
    } else {
        args.hostnames.iter().try_for_each(|hostname| checked_hostname(hostname).map(drop))?;
        that_exist(client, &args.hostnames).await?;
        args.hostnames
    };
    if let ([hostname], false) = (&hostnames[..], args.json) {
        let (ended, left) = told(steps::follow(client, Method::POST, &url(client, hostname), None, IF_CUT).await);
        left.iter().for_each(|left| note(&format!("left on the host: {}", plain(left))));
        return Ok(report(hostname, &ended));
    }
    let one = |hostname: String| async move {
        let quiet = steps::each(client, Method::POST, &url(client, &hostname), None, IF_CUT, steps::end_of).await;
        (hostname, told(quiet))
    };
    let mut under_way = stream::iter(hostnames).map(one).buffer_unordered(AT_A_TIME);
    let (mut code, mut answers) = (0, Vec::new());
    while let Some((hostname, (ended, left))) = under_way.next().await {
        if args.json {
            code = code.max(if ended.is_ok() { 0 } else { EXIT_ERROR });
            answers.push(json!({"hostname": hostname, "rotated": ended.is_ok(), "why": ended.err(), "left": left}));
        } else {
            code = code.max(report(&hostname, &ended));
            left.iter().for_each(|left| note(&format!("{hostname}: left on the host: {}", plain(left))));
        }
    }
    if args.json {
        print(pretty(&json!({"runners": answers}), stdout_colour()).as_bytes())?;
    }
    Ok(code)
}

fn url(client: &Client, hostname: &str) -> reqwest::Url {
    client.url(&format!("runners/{hostname}/rotate-key"), &[])
}

/// Whether the runner has a new key, else why not; and what is left on its host.
fn told(end: Result<StepsEnd, Failure>) -> (Result<(), String>, Vec<String>) {
    match end {
        Ok(StepsEnd::Finished { left_behind, .. }) => (Ok(()), left_behind),
        Ok(StepsEnd::Failed(failed)) => {
            (Err(format!("{}: {}; {}", failed.step, failed.why, failed.try_next)), failed.left_behind)
        }
        Ok(StepsEnd::HostKeyUnconfirmed { fingerprint, .. }) => {
            (Err(format!("the host shows a key that is not pinned: {fingerprint}")), Vec::new())
        }
        Err(error) => (Err(error.to_string()), Vec::new()),
    }
}

fn report(hostname: &str, ended: &Result<(), String>) -> u8 {
    match ended {
        Ok(()) => {
            note(&format!("{hostname} has a new key"));
            0
        }
        Err(why) => {
            note(&format!("{hostname} keeps its key: {}", plain(why)));
            EXIT_ERROR
        }
    }
}
