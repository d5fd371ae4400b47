//! `shunt token`: API tokens of people and programs. Those of hosts that enrol themselves are `shunt ctl create-token`.

mod create;
mod list;
mod revoke;

use clap::Subcommand;

use crate::client::Client;
use crate::failure::Failure;

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    Create(create::CreateArgs),
    List(list::ListArgs),
    Revoke(revoke::RevokeArgs),
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, command: TokenCommand) -> Result<u8, Failure> {
    match command {
        TokenCommand::Create(args) => create::run(client, args).await,
        TokenCommand::List(args) => list::run(client, args).await,
        TokenCommand::Revoke(args) => revoke::run(client, args).await,
    }
}
