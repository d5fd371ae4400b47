//! `shunt ctl jump-host`: hosts through which runners are reached.

pub mod accept_host_key;
pub mod change;
pub mod delete;
pub mod install;
pub mod list;
pub mod show;
pub mod test;

use clap::Subcommand;
use shuntyard_domain::tenancy::Name;

use crate::client::Client;
use crate::failure::{Failure, Usage};

#[derive(Subcommand, Debug)]
pub enum JumpHostCommand {
    Install(install::InstallArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Test(test::TestArgs),
    Change(change::ChangeArgs),
    AcceptHostKey(accept_host_key::AcceptArgs),
    Delete(delete::DeleteArgs),
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, command: JumpHostCommand) -> Result<u8, Failure> {
    match command {
        JumpHostCommand::Install(args) => install::run(client, args).await,
        JumpHostCommand::List(args) => list::run(client, args).await,
        JumpHostCommand::Show(args) => show::run(client, args).await,
        JumpHostCommand::Test(args) => test::run(client, args).await,
        JumpHostCommand::Change(args) => change::run(client, args).await,
        JumpHostCommand::AcceptHostKey(args) => accept_host_key::run(client, args).await,
        JumpHostCommand::Delete(args) => delete::run(client, args).await,
    }
}

/// Refuses a name that no jump host can have, before anything is sent.
///
/// # Errors
/// `Usage::BadName`
pub fn checked_name(text: &str) -> Result<Name, Usage> {
    Ok(text.parse::<Name>()?)
}

fn path(name: &Name) -> String {
    format!("jump-hosts/{name}")
}
