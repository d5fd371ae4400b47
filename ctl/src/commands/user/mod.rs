//! `shunt user`: who may use the API, and what they were given.

mod change;
mod create;
mod password;
mod show;

use clap::{Args, Subcommand};
use shuntyard_domain::access::Role;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::GrantBody;

use crate::client::Client;
use crate::failure::Failure;

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    Create(create::CreateArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    /// Give a user a role
    Grant(change::GrantArgs),
    /// Take a role away from a user
    RevokeGrant(change::GrantArgs),
    Disable(change::DisableArgs),
    Enable(change::EnableArgs),
    Delete(change::DeleteArgs),
    Password(password::PasswordArgs),
}

/// Where a role holds.
#[derive(Args, Debug)]
pub struct PlaceArgs {
    /// Only in this organisation
    #[arg(long, value_name = "NAME")]
    org: Option<Name>,
    /// Only in this project (of the organisation `default`, unless --org names another)
    #[arg(long, value_name = "NAME")]
    project: Option<Name>,
}

impl PlaceArgs {
    /// The role where these say; without them in the whole enterprise.
    pub fn grant(&self, role: Role) -> GrantBody {
        let org = self.org.clone().or_else(|| self.project.as_ref().map(|_| Name::of_default()));
        GrantBody { role, org, project: self.project.clone() }
    }
}

/// `admin`, `committer@ORG`, `shipper@ORG/PROJECT`.
pub fn shown(grants: &[GrantBody]) -> String {
    let place = |grant: &GrantBody| match (&grant.org, &grant.project) {
        (None, _) => String::new(),
        (Some(org), None) => format!("@{org}"),
        (Some(org), Some(project)) => format!("@{org}/{project}"),
    };
    grants.iter().map(|grant| format!("{}{}", grant.role, place(grant))).collect::<Vec<_>>().join(",")
}

fn path(name: &Name) -> String {
    format!("users/{name}")
}

/// # Errors
/// `Failure` when the server refuses, or what is asked for cannot be read.
pub async fn run(client: &Client, command: UserCommand) -> Result<u8, Failure> {
    match command {
        UserCommand::Create(args) => create::run(client, args).await,
        UserCommand::List(args) => show::list(client, args).await,
        UserCommand::Show(args) => show::run(client, args).await,
        UserCommand::Grant(args) => change::grant(client, args).await,
        UserCommand::RevokeGrant(args) => change::revoke(client, args).await,
        UserCommand::Disable(args) => change::disable(client, args).await,
        UserCommand::Enable(args) => change::enable(client, args).await,
        UserCommand::Delete(args) => change::delete(client, args).await,
        UserCommand::Password(args) => password::run(client, args).await,
    }
}
