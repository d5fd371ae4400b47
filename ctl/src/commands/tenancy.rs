//! `shunt org`, `shunt project` and `shunt pipeline`: where changes go. Submitting a change makes what is missing.

use clap::{Args, Subcommand};
use serde_json::Value;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::tenancy::NewName;

use crate::client::Client;
use crate::commands::change::done;
use crate::commands::project_limit::{self, LimitArgs};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::terminal::{plain, print, stdout_colour};

#[derive(Subcommand, Debug)]
pub enum OrgCommand {
    /// List the organisations
    List(OrgListArgs),
    /// Make an organisation
    Create(OrgCreateArgs),
}

#[derive(Args, Debug)]
pub struct OrgListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct OrgCreateArgs {
    name: Name,
}

#[derive(Subcommand, Debug)]
pub enum ProjectCommand {
    /// List the projects of an organisation
    List(ProjectListArgs),
    /// Make a project
    Create(ProjectArgs),
    /// Show a project and its pipelines
    Show(ProjectShowArgs),
    Limit(LimitArgs),
}

#[derive(Args, Debug)]
pub struct ProjectListArgs {
    /// Organisation
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct ProjectArgs {
    /// Name of the project
    name: Name,
    /// Organisation
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
}

#[derive(Args, Debug)]
pub struct ProjectShowArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
pub enum PipelineCommand {
    /// List the pipelines of a project
    List(PipelineListArgs),
    /// Make a pipeline
    Create(PipelineCreateArgs),
}

#[derive(Args, Debug)]
pub struct PipelineListArgs {
    /// Name of the project
    project: Name,
    /// Organisation
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct PipelineCreateArgs {
    /// Name of the project
    project: Name,
    /// Name of the pipeline
    name: Name,
    /// Organisation
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: Name,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn org(client: &Client, command: OrgCommand) -> Result<u8, Failure> {
    match command {
        OrgCommand::List(args) => list(client, "orgs", "orgs", args.json).await,
        OrgCommand::Create(args) => create(client, "orgs", "organisation", args.name).await,
    }
}

/// # Errors
/// As `org`.
pub async fn project(client: &Client, command: ProjectCommand) -> Result<u8, Failure> {
    match command {
        ProjectCommand::List(args) => list(client, &format!("orgs/{}/projects", args.org), "projects", args.json).await,
        ProjectCommand::Create(args) => {
            create(client, &format!("orgs/{}/projects", args.org), "project", args.name).await
        }
        ProjectCommand::Limit(args) => project_limit::run(client, args).await,
        ProjectCommand::Show(args) => {
            let ProjectArgs { name, org } = args.project;
            let project: Value = client.get(&format!("orgs/{org}/projects/{name}")).await?;
            if args.json {
                print(pretty(&project, stdout_colour()).as_bytes())?;
            } else {
                let since = plain(project["created_at"].as_str().unwrap_or("-"));
                let pipelines = names(&project, "pipelines").join(", ");
                print(format!("{org}/{name}\ncreated    {since}\npipelines  {pipelines}\n").as_bytes())?;
            }
            Ok(0)
        }
    }
}

/// # Errors
/// As `org`.
pub async fn pipeline(client: &Client, command: PipelineCommand) -> Result<u8, Failure> {
    let path = |org: &Name, project: &Name| format!("orgs/{org}/projects/{project}/pipelines");
    match command {
        PipelineCommand::List(args) => list(client, &path(&args.org, &args.project), "pipelines", args.json).await,
        PipelineCommand::Create(args) => create(client, &path(&args.org, &args.project), "pipeline", args.name).await,
    }
}

/// One name a line.
async fn list(client: &Client, path: &str, key: &str, json: bool) -> Result<u8, Failure> {
    let list: Value = client.get(path).await?;
    if json {
        print(pretty(&list, stdout_colour()).as_bytes())?;
    } else {
        print(names(&list, key).iter().map(|name| format!("{name}\n")).collect::<String>().as_bytes())?;
    }
    Ok(0)
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let names = list[key].as_array().into_iter().flatten();
    names.filter_map(|item| item["name"].as_str()).map(plain).collect()
}

async fn create(client: &Client, path: &str, what: &str, name: Name) -> Result<u8, Failure> {
    let _: Value = client.create(path, &NewName { name: name.clone() }).await?;
    done(&format!("{what} {name} is made"));
    Ok(0)
}
