//! `shunt fan-out`: what became of `shunt run --all`.

mod list;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::fan_out::{FanOutStatus, Share};
use shuntyard_domain::wire::fan_out::{FanOutBody, RerunFanOut};

use crate::change::watch::OnInterrupt;
use crate::client::{Client, parse};
use crate::failure::{EXIT_INTERRUPTED, Failure};
use crate::fan_out::shown::{end, hosts, who};
use crate::fan_out::{cancel, fetch, of_fan_out, with_flag};
use crate::pretty_json::pretty;
use crate::run::Flags;
use crate::run::all::{follow, say_who, some_share, submitted};
use crate::run::interrupts::{interrupts, unless_left};
use crate::short_id;
use crate::terminal::{note, plain, print, stdout_colour};

#[derive(Subcommand, Debug)]
pub enum FanOutCommand {
    List(list::ListArgs),
    /// Show a fan-out: a line for each host
    Show(OneArgs),
    /// Follow a fan-out to its end, with the output of every host; Ctrl-C leaves it as it is
    Follow(FollowArgs),
    /// End a fan-out: no further host starts, and those that run it are stopped
    Cancel(OneArgs),
    Rerun(RerunArgs),
}

#[derive(Args, Debug)]
pub struct OneArgs {
    /// Id of the fan-out, or a part of its beginning or end
    id: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct FollowArgs {
    /// Id of the fan-out, or a part of its beginning or end
    id: String,
    /// Print it as JSON when it has ended; the output goes to standard error
    #[arg(long)]
    json: bool,
    /// Say nothing beside the hosts' output
    #[arg(short, long)]
    quiet: bool,
}

/// Run the command of an ended fan-out again on those hosts on which it has not succeeded
///
/// A new fan-out over the hosts that failed or were not started, with the same command and limits, but for those given
/// here. Follows it; ends as `shunt run --all` does.
#[derive(Args, Debug)]
pub struct RerunArgs {
    /// Id of the fan-out, or a part of its beginning or end
    id: String,
    /// Let N runners go first [default: as before]
    #[arg(long, value_name = "N")]
    canary: Option<u32>,
    /// Run it on so many at a time [default: as before]
    #[arg(long, value_name = "N|P%", value_parser = some_share)]
    batch: Option<Share>,
    /// Start no more after more failures than these [default: as before]
    #[arg(long, value_name = "N|P%")]
    max_failures: Option<Share>,
    /// Print the id of the new fan-out, and leave
    #[arg(short, long)]
    detach: bool,
    /// Print it as JSON when it has ended; the output goes to standard error
    #[arg(long)]
    json: bool,
    /// Say nothing beside the hosts' output
    #[arg(short, long)]
    quiet: bool,
}

/// # Errors
/// `Failure`, to be shown as one sentence.
pub async fn run(client: &Client, command: FanOutCommand) -> Result<u8, Failure> {
    match command {
        FanOutCommand::List(args) => list::run(client, args).await,
        FanOutCommand::Show(args) => show(client, &args).await,
        FanOutCommand::Follow(args) => {
            let fan_out = fetch(client, short_id::fan_out(client, &args.id).await?).await?;
            let flags = Flags { detach: false, json: args.json, quiet: args.quiet };
            say_who(&fan_out, args.quiet);
            follow(client, fan_out, interrupts()?, false, OnInterrupt::Leave, &flags).await
        }
        FanOutCommand::Cancel(args) => {
            let id = short_id::fan_out(client, &args.id).await?;
            let before = fetch(client, id).await?.status;
            cancel(client, id).await.map_err(|error| of_fan_out(id, error))?;
            if args.json {
                return submitted(&fetch(client, id).await?, true);
            }
            let said = match before {
                FanOutStatus::Running => "cancel requested".to_owned(),
                ended => format!("had ended already: {ended}"),
            };
            print(format!("fan-out {id}: {said}\n").as_bytes())?;
            Ok(0)
        }
        FanOutCommand::Rerun(args) => rerun(client, args).await,
    }
}

async fn show(client: &Client, args: &OneArgs) -> Result<u8, Failure> {
    let id = short_id::fan_out(client, &args.id).await?;
    if args.json {
        let url = client.url(&format!("fan_outs/{id}"), &[]);
        let answer = client.answer(Method::GET, &url, None).await.map_err(|error| of_fan_out(id, error))?;
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let fan_out = fetch(client, id).await?;
    print(text(&fan_out).as_bytes())?;
    Ok(0)
}

fn text(fan_out: &FanOutBody) -> String {
    let who = who(fan_out.rows.iter().map(|row| row.hostname.as_str()), &fan_out.left_out);
    let left_out: String = who.lines().skip(1).map(|line| format!("{line}\n")).collect();
    format!("{}\n{left_out}{}{}\n", plain(&fan_out.title), hosts(fan_out), end(fan_out))
}

async fn rerun(client: &Client, args: RerunArgs) -> Result<u8, Failure> {
    let id = short_id::fan_out(client, &args.id).await?;
    let body = RerunFanOut { canary: args.canary, batch: args.batch, max_failures: args.max_failures };
    let flags = Flags { detach: args.detach, json: args.json, quiet: args.quiet };
    let path = format!("fan_outs/{id}/rerun");
    if flags.detach {
        let fan_out = client.create(&path, &body).await.map_err(|error| of_fan_out(id, with_flag(error)))?;
        return submitted(&fan_out, flags.json);
    }
    // A mistyped id is no fan-out to wait for.
    fetch(client, id).await?;
    let mut interrupts = interrupts()?;
    let asking = async { client.create::<FanOutBody>(&path, &body).await.map_err(with_flag) };
    let Some((fan_out, interrupted)) = unless_left(asking, &mut interrupts).await? else {
        note("left before the server answered: `shunt fan-out list` shows what it has accepted");
        return Ok(EXIT_INTERRUPTED);
    };
    say_who(&fan_out, flags.quiet);
    follow(client, fan_out, interrupts, interrupted, OnInterrupt::Cancel, &flags).await
}
