//! `shunt secret`: secrets of a project, which can be set, listed by name and deleted, and never read again.

use std::io::{self, Read as _};
use std::path::Path;

use clap::{Args, Subcommand};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use shuntyard_domain::runner::BadName;
use shuntyard_domain::secret::{MAX_SECRET_BYTES, SecretName};
use shuntyard_domain::tenancy::Name;

use crate::client::{Client, encode};
use crate::client_error::ClientError;
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::project::directory_name;
use crate::table;
use crate::terminal::{ask_secret, can_ask, note, print, stdout_colour};

#[derive(Subcommand, Debug)]
pub enum SecretCommand {
    Set(SetArgs),
    List(ListArgs),
    Delete(DeleteArgs),
}

/// Whose secret.
#[derive(Args, Debug)]
pub struct OwnerArgs {
    /// Name of the project [default: that of the current directory]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Organisation of the project
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: String,
}

/// Set a secret of a project: from standard input, or asked for without echo
///
/// `shunt secret set GIT_TOKEN < token` keeps the whole input but one line end behind it. A clone of a job (`--git`) uses
/// GIT_USERNAME and GIT_TOKEN for https://, GIT_SSH_KEY (without a passphrase) and GIT_KNOWN_HOSTS (as `ssh-keyscan`
/// writes it; compare it first) for ssh://.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Capital letters, digits and _
    name: String,
    #[command(flatten)]
    owner: OwnerArgs,
}

/// List the secrets of a project: names and times, never values
#[derive(Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// Delete a secret of a project; jobs that run keep what they were given
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
    updated_at: String,
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
    let body = encode(&url, &json!({"value": read_value()?}))?;
    client.answer(Method::PUT, &url, Some(body)).await?;
    note(&format!("{name} of project {} is set", owner.project));
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
    let rows = listed.secrets.into_iter().map(|row| vec![row.name, row.created_at, row.updated_at]).collect();
    print(table::render(&["NAME", "CREATED", "UPDATED"], rows).as_bytes())?;
    Ok(0)
}

async fn delete(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let (name, owner) = (secret_name(&args.name)?, args.owner.resolve()?);
    let url = client.url(&format!("{}/{name}", owner.path()), &[]);
    match client.answer(Method::DELETE, &url, None).await {
        Err(ClientError::Refused(refusal))
            if refusal.status == StatusCode::NOT_FOUND && refusal.body.error == "not_found" =>
        {
            Err(Failure::NoSecret { project: owner.project.to_string(), name: name.to_string() })
        }
        Err(error) => Err(error.into()),
        Ok(_) => {
            note(&format!("{name} of project {} is deleted", owner.project));
            Ok(0)
        }
    }
}

/// Whose secret, checked.
struct Owner {
    org: Name,
    project: Name,
}

impl OwnerArgs {
    fn resolve(self) -> Result<Owner, Failure> {
        let project = match self.project {
            Some(project) => project,
            None => directory_name(Path::new("."))?,
        };
        let parse = |name: &str| name.parse::<Name>().map_err(Usage::BadName);
        Ok(Owner { org: parse(&self.org)?, project: parse(&project)? })
    }
}

impl Owner {
    fn path(&self) -> String {
        format!("orgs/{}/projects/{}/secrets", self.org, self.project)
    }
}

fn secret_name(text: &str) -> Result<SecretName, Usage> {
    text.parse().map_err(|bad: BadName| Usage::BadName(BadName { found: crate::terminal::plain(&bad.found), ..bad }))
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
