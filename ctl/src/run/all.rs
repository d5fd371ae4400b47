//! `shunt run --all`: one command on every matching runner.

use clap::Args;
use serde_json::json;
use shuntyard_domain::fan_out::{BadShare, Share};
use shuntyard_domain::wire::api::SubmitJob;
use shuntyard_domain::wire::fan_out::{FanOutBody, FanOutPlanBody, SubmitFanOut};

use super::Flags;
use crate::change::watch::OnInterrupt;
use crate::client::Client;
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::fan_out::shown::{end, exit_code, hosts, who};
use crate::fan_out::watch::{Watch, Watched};
use crate::fan_out::with_flag;
use crate::pretty_json::pretty;
use crate::run::interrupts::{interrupts, unless_left};
use crate::terminal::{note, print, stdout_colour};

/// How a command goes to all runners.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "On every matching runner")]
pub struct AllArgs {
    /// Run the command on every runner that matches the filter, once each; the server goes on with it by itself
    #[arg(long, conflicts_with_all = ["stage", "phase"])]
    pub all: bool,
    /// Let N runners go first; the others only start when all of these have succeeded [default: 0]
    #[arg(long, value_name = "N", requires = "all")]
    pub canary: Option<u32>,
    /// Run it on so many at a time: as soon as one has ended the next one starts [default: all]
    #[arg(long, value_name = "N|P%", requires = "all", value_parser = some_share)]
    pub batch: Option<Share>,
    /// Start no more after more failures than these [default: start all]
    #[arg(long, value_name = "N|P%", requires = "all")]
    pub max_failures: Option<Share>,
    /// Say who would run it, and run nothing
    #[arg(long, requires = "all", conflicts_with = "detach")]
    pub dry_run: bool,
}

/// A share that is not nothing.
pub fn some_share(text: &str) -> Result<Share, String> {
    let share: Share = text.parse().map_err(|error: BadShare| format!("{error}; a part is 1% to 100%"))?;
    if share.is_nothing() {
        Err("a batch of nothing would never end: 1 or more, or 1% to 100%".into())
    } else {
        Ok(share)
    }
}

/// Submits, follows, and returns the exit code.
pub(super) async fn run(client: &Client, job: SubmitJob, all: AllArgs, flags: &Flags) -> Result<u8, Failure> {
    let AllArgs { canary, batch, max_failures, dry_run, .. } = all;
    let body = SubmitFanOut { job, canary: canary.unwrap_or_default(), batch, max_failures };
    if dry_run {
        return plan(&client.post("fan_outs/plan", &body).await.map_err(with_flag)?, flags.json);
    }
    if flags.detach {
        return submitted(&client.create("fan_outs", &body).await.map_err(with_flag)?, flags.json);
    }
    let mut interrupts = interrupts()?;
    let asking = async { client.create::<FanOutBody>("fan_outs", &body).await.map_err(with_flag) };
    let answer = unless_left(asking, &mut interrupts).await?;
    let Some((fan_out, interrupted)) = answer else {
        note("left before the server answered: `shunt fan-out list` shows what it has accepted");
        return Ok(EXIT_INTERRUPTED);
    };
    say_who(&fan_out, flags.quiet);
    follow(client, fan_out, interrupts, interrupted, OnInterrupt::Cancel, flags).await
}

/// Says who takes part.
pub fn say_who(fan_out: &FanOutBody, quiet: bool) {
    if !quiet {
        note(&who(fan_out.rows.iter().map(|row| row.hostname.as_str()), &fan_out.left_out));
        note(&format!("fan-out {}", fan_out.id));
    }
}

/// Prints what the server has accepted: its id, or all of it as JSON.
pub fn submitted(fan_out: &FanOutBody, as_json: bool) -> Result<u8, Failure> {
    if as_json {
        print(pretty(&json!(fan_out), stdout_colour()).as_bytes())?;
    } else {
        print(format!("{}\n", fan_out.id).as_bytes())?;
    }
    Ok(0)
}

fn plan(plan: &FanOutPlanBody, as_json: bool) -> Result<u8, Failure> {
    if as_json {
        print(pretty(&json!(plan), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    print(plan.hostnames.iter().map(|name| format!("{name}\n")).collect::<String>().as_bytes())?;
    let (batch, most) = (plan.batch, plan.max_failures);
    note(&format!("{} runner(s), {batch} at a time, up to {most} may fail; nothing was run", plan.hostnames.len()));
    for out in &plan.left_out {
        note(&format!("left out: {} ({})", out.hostname, out.why));
    }
    Ok(0)
}

/// Follows to the end and shows a table of the hosts; the exit code is that of the worst.
pub async fn follow(
    client: &Client,
    fan_out: FanOutBody,
    interrupts: tokio::sync::mpsc::UnboundedReceiver<()>,
    interrupted: bool,
    on_interrupt: OnInterrupt,
    flags: &Flags,
) -> Result<u8, Failure> {
    let id = fan_out.id;
    let watch = Watch::new(client, fan_out, on_interrupt, flags.json, flags.quiet);
    let (fan_out, interrupted) = match watch.run(interrupts, interrupted).await {
        Ok(Watched::Ended { fan_out, interrupted }) => (fan_out, interrupted),
        Ok(Watched::Left) => return Ok(EXIT_INTERRUPTED),
        Err(failure) => {
            note(&format!("fan-out {id} goes on without this command: shunt fan-out follow {id}"));
            return Err(failure);
        }
    };
    if flags.json {
        print(pretty(&json!(fan_out), stdout_colour()).as_bytes())?;
    } else if !flags.quiet {
        note(hosts(&fan_out).trim_end());
        note(&end(&fan_out));
    }
    let worst = exit_code(&fan_out);
    Ok(if interrupted && worst != 0 { EXIT_INTERRUPTED } else { worst })
}
