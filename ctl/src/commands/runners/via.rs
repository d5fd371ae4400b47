//! `shunt ctl via`: the way to a runner.

use clap::{Args, ValueEnum};
use shuntyard_domain::wire::api::{PatchRunner, RunnerBody};

use crate::client::Client;
use crate::commands::jump_hosts::checked_name;
use crate::commands::runners::{checked_hostname, patch};
use crate::failure::{Failure, Usage};
use crate::terminal::{plain, print};

/// Set the way by which a runner is reached: directly, or through a jump host
///
/// Its address is then as the jump host sees it. The runner is connected anew; its jobs go on, and their output is followed on.
#[derive(Args, Debug)]
pub struct ViaArgs {
    /// Name of the runner
    hostname: String,
    /// By a connection of the dispatcher, or through a jump host
    #[arg(value_enum)]
    way: Way,
    /// The jump host
    #[arg(value_name = "NAME", required_if_eq("way", "jump"))]
    jump: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Direct,
    Jump,
}

/// # Errors
/// `Usage` for a name that no jump host can have; `Failure` when there is none of that name.
pub async fn run(client: &Client, args: ViaArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let jump = match (args.way, args.jump) {
        (Way::Direct, None) => String::new(),
        (Way::Direct, Some(_)) => return Err(Usage::DirectHasNoName.into()),
        (Way::Jump, name) => checked_name(&name.unwrap_or_default())?.to_string(),
    };
    let runner = patch(client, hostname, &PatchRunner { jump: Some(jump), ..PatchRunner::default() }).await?;
    print((plain(&format!("{}: {}", runner.hostname, way(&runner))) + "\n").as_bytes())?;
    Ok(0)
}

/// The way to a runner, for people.
fn way(runner: &RunnerBody) -> String {
    runner.jump.as_ref().map_or_else(|| "directly".to_owned(), |jump| format!("through jump host {jump}"))
}
