//! `shunt audit`: who did what, and whether the log is whole.

mod check;
mod list;

use clap::{Args, Subcommand};

use crate::client::Client;
use crate::failure::Failure;

/// Show who did what, newest first; `shunt audit check` proves that nothing was changed afterwards
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  shunt audit --actor alice --since 7d
  shunt audit --subject 'runner build-1' --json
  shunt audit check --head 4711:9f86d0…"
)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand, Debug)]
enum AuditCommand {
    Check(check::CheckArgs),
}

/// # Errors
/// `Failure` when the server or standard output fails, or when the log is not whole.
pub async fn run(client: &Client, args: AuditArgs) -> Result<u8, Failure> {
    match args.command {
        Some(AuditCommand::Check(args)) => check::run(client, args).await,
        None => list::run(client, args.list).await,
    }
}
