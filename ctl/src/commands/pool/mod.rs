//! `shunt ctl pool`: machines that are started when jobs wait for them.

mod create;
mod delete;
mod flags;
mod list;
mod show;
mod update;

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::pool::name::PoolName;

use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{print, stdout_colour};

#[derive(Subcommand, Debug)]
pub enum PoolCommand {
    Create(create::CreateArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Update(update::UpdateArgs),
    Delete(delete::DeleteArgs),
}

/// # Errors
/// `Failure` for bad values, before anything is sent; and what the server says.
pub async fn run(client: &Client, command: PoolCommand) -> Result<u8, Failure> {
    match command {
        PoolCommand::Create(args) => create::run(client, args).await,
        PoolCommand::List(args) => list::run(client, args).await,
        PoolCommand::Show(args) => show::run(client, args).await,
        PoolCommand::Update(args) => update::run(client, args).await,
        PoolCommand::Delete(args) => delete::run(client, args).await,
    }
}

/// Prints what the server answers, as JSON.
async fn print_json(client: &Client, path: &str) -> Result<u8, Failure> {
    let url = client.url(path, &[]);
    let value: Value = parse(&url, &client.answer(Method::GET, &url, None).await?.bytes)?;
    print(pretty(&value, stdout_colour()).as_bytes())?;
    Ok(0)
}

fn path(name: &PoolName) -> String {
    format!("pools/{name}")
}
