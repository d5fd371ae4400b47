//! `shunt ctl scope`: which organisations a runner serves.

use clap::{Args, ValueEnum};
use shuntyard_domain::runner::Scope;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::PatchRunner;

use crate::client::Client;
use crate::commands::runners::{checked_hostname, patch};
use crate::failure::{Failure, Usage};
use crate::terminal::{plain, print};

/// Set which organisations a runner serves
///
/// A job goes to a free runner of its own organisation first, then to one that serves all. Running jobs are not touched.
#[derive(Args, Debug)]
pub struct ScopeArgs {
    /// Name of the runner
    hostname: String,
    /// All organisations of the enterprise, or one
    #[arg(value_enum)]
    serves: Serves,
    /// The one organisation
    #[arg(value_name = "NAME", required_if_eq("serves", "org"))]
    org: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Serves {
    Enterprise,
    Org,
}

/// # Errors
/// `Usage` for a name that no organisation can have; `Failure` when there is none of that name.
pub async fn run(client: &Client, args: ScopeArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    let scope = match (args.serves, args.org) {
        (Serves::Enterprise, None) => Scope::Enterprise,
        (Serves::Enterprise, Some(_)) => return Err(Usage::EnterpriseHasNoName.into()),
        (Serves::Org, name) => org(&name.unwrap_or_default())?,
    };
    let runner = patch(client, hostname, &PatchRunner { scope: Some(scope), ..PatchRunner::default() }).await?;
    print((plain(&format!("{}: {}", runner.hostname, runner.scope)) + "\n").as_bytes())?;
    Ok(0)
}

/// The scope of one organisation.
///
/// # Errors
/// `Usage::BadName`
pub fn org(name: &str) -> Result<Scope, Usage> {
    Ok(Scope::Org(name.parse::<Name>()?.into()))
}
