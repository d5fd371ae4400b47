//! `shunt secret`: secrets, which can be set, listed by name and deleted, and never read again.

use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;

use clap::{Args, Subcommand};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use shuntyard_domain::mask::MIN_MASKED_BYTES;
use shuntyard_domain::runner::BadName;
use shuntyard_domain::secret::{MAX_SECRET_BYTES, SecretName};
use shuntyard_domain::tenancy::Name;

use crate::client::{Client, encode};
use crate::client_error::ClientError;
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::project::directory_name;
use crate::table;
use crate::terminal::{ask_secret, can_ask, note, plain, print, stdout_colour};

/// Where a project lies unless somebody says otherwise.
const DEFAULT_ORG: &str = "default";

#[derive(Subcommand, Debug)]
pub enum SecretCommand {
    Set(SetArgs),
    List(ListArgs),
    Delete(DeleteArgs),
}

/// Whose secret.
#[derive(Args, Debug)]
pub struct OwnerArgs {
    /// Of this project [default: that of the current directory]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Of this organisation; with --project: where the project lies [default there: default]
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Of the whole enterprise
    #[arg(long, conflicts_with_all = ["project", "org"])]
    whole_enterprise: bool,
    /// Of this runner
    #[arg(long, value_name = "HOSTNAME", conflicts_with_all = ["project", "org", "whole_enterprise"])]
    runner: Option<String>,
}

/// Set a secret: from standard input, or asked for without echo
///
/// `shunt secret set NPM_TOKEN < token` keeps the whole input but one line end behind it, for the project of the current
/// directory. Nothing reads it back. A job is handed it when it names it: `shunt run --secret NPM_TOKEN`, or
/// `"secrets": ["NPM_TOKEN"]` in a phase of config.json. Of several with one name a job gets the most specific: its
/// runner's, else its project's, its organisation's, the enterprise's.
///
/// What a job prints of its secrets is stored as `*`; values of less than 4 bytes are not masked.
///
/// A clone of a job (`--git`) uses GIT_USERNAME and GIT_TOKEN for https://, GIT_SSH_KEY (without a passphrase) and
/// GIT_KNOWN_HOSTS (as `ssh-keyscan` writes it; compare it first) for ssh://.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Capital letters, digits and _
    name: String,
    #[command(flatten)]
    owner: OwnerArgs,
}

/// List secrets: names, times and who set them, never values
#[derive(Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// Delete a secret; jobs that run keep what they were given
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the secret
    name: String,
    #[command(flatten)]
    owner: OwnerArgs,
}

/// The answer to a list.
#[derive(Deserialize)]
struct Listed {
    secrets: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    created_at: String,
    created_by: String,
    updated_at: String,
    updated_by: String,
}

/// # Errors
/// `Failure` for bad names, before anything is read or sent; and what the server says.
pub async fn run(client: &Client, command: SecretCommand) -> Result<u8, Failure> {
    match command {
        SecretCommand::Set(args) => set(client, args).await,
        SecretCommand::List(args) => list(client, args).await,
        SecretCommand::Delete(args) => delete(client, args).await,
    }
}

async fn set(client: &Client, args: SetArgs) -> Result<u8, Failure> {
    let (name, owner) = (secret_name(&args.name)?, args.owner.resolve()?);
    if client.connection().is_clear_text() {
        return Err(Usage::ClearText { server: client.connection().server.to_string() }.into());
    }
    let url = client.url(&format!("{}/{name}", owner.path()), &[]);
    let value = read_value()?;
    let body = encode(&url, &json!({"value": value}))?;
    client.answer(Method::PUT, &url, Some(body)).await?;
    note(&format!("{name} of {owner} is set"));
    if value.trim().len() < MIN_MASKED_BYTES {
        note("warning: it is too short to be masked in the output of jobs (fewer than 4 bytes)");
    }
    Ok(0)
}

async fn list(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let path = args.owner.resolve()?.path();
    if args.json {
        let listed: Value = client.get(&path).await?;
        print(pretty(&listed, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let listed: Listed = client.get(&path).await?;
    let rows = listed
        .secrets
        .into_iter()
        .map(|row| vec![row.name, row.created_at, row.created_by, row.updated_at, row.updated_by]);
    print(table::render(&["NAME", "CREATED", "BY", "UPDATED", "BY"], rows.collect()).as_bytes())?;
    Ok(0)
}

async fn delete(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let (name, owner) = (secret_name(&args.name)?, args.owner.resolve()?);
    let url = client.url(&format!("{}/{name}", owner.path()), &[]);
    match client.answer(Method::DELETE, &url, None).await {
        Err(ClientError::Refused(refusal))
            if refusal.status == StatusCode::NOT_FOUND && refusal.body.error == "not_found" =>
        {
            Err(Failure::NoSecret { owner: owner.to_string(), flag: owner.flag(), name: name.to_string() })
        }
        Err(error) => Err(error.into()),
        Ok(_) => {
            note(&format!("{name} of {owner} is deleted"));
            Ok(0)
        }
    }
}

/// Whose secret, checked.
enum Owner {
    Enterprise,
    Org(Name),
    Project(Name, Name),
    Runner(String),
}

impl OwnerArgs {
    fn resolve(self) -> Result<Owner, Failure> {
        let parse = |name: &str| name.parse::<Name>().map_err(Usage::BadName);
        Ok(match (self.runner, self.whole_enterprise, self.org, self.project) {
            (Some(hostname), ..) => Owner::Runner(hostname),
            (None, true, ..) => Owner::Enterprise,
            (None, false, Some(org), None) => Owner::Org(parse(&org)?),
            (None, false, org, project) => {
                let project = match project {
                    Some(project) => project,
                    None => directory_name(Path::new("."))?,
                };
                Owner::Project(parse(org.as_deref().unwrap_or(DEFAULT_ORG))?, parse(&project)?)
            }
        })
    }
}

impl Owner {
    fn path(&self) -> String {
        match self {
            Self::Enterprise => "secrets".to_owned(),
            Self::Org(org) => format!("orgs/{org}/secrets"),
            Self::Project(org, project) => format!("orgs/{org}/projects/{project}/secrets"),
            Self::Runner(hostname) => format!("runners/{hostname}/secrets"),
        }
    }

    /// What names it to the other commands.
    fn flag(&self) -> String {
        match self {
            Self::Enterprise => "--whole-enterprise".to_owned(),
            Self::Org(org) => format!("--org {org}"),
            Self::Project(org, project) if org.as_str() == DEFAULT_ORG => format!("--project {project}"),
            Self::Project(org, project) => format!("--org {org} --project {project}"),
            Self::Runner(hostname) => format!("--runner {}", plain(hostname)),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enterprise => f.write_str("the enterprise"),
            Self::Org(org) => write!(f, "organisation {org}"),
            Self::Project(_, project) => write!(f, "project {project}"),
            Self::Runner(hostname) => write!(f, "runner {}", plain(hostname)),
        }
    }
}

fn secret_name(text: &str) -> Result<SecretName, Usage> {
    text.parse().map_err(|bad: BadName| Usage::BadName(BadName { found: plain(&bad.found), ..bad }))
}

/// The value: asked for on a terminal, else the whole of standard input without one line end behind it.
fn read_value() -> Result<String, Failure> {
    let value = if can_ask() {
        ask_secret("value", "standard input: shunt secret set NAME < FILE")?
    } else {
        let mut bytes = Vec::new();
        io::stdin().lock().take(2 * MAX_SECRET_BYTES as u64).read_to_end(&mut bytes).map_err(Failure::ReadInput)?;
        let text = String::from_utf8(bytes).map_err(|_| Usage::BadSecret)?;
        let whole = text.strip_suffix('\n').unwrap_or(&text);
        whole.strip_suffix('\r').unwrap_or(whole).to_owned()
    };
    let good = (1..=MAX_SECRET_BYTES).contains(&value.len()) && !value.contains('\0');
    if good { Ok(value) } else { Err(Usage::BadSecret.into()) }
}
