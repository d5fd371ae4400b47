//! `shunt artifacts`: what a job has kept, listed and fetched.

mod place;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::JobId;

use crate::client::{Client, parse, unknown_shape};
use crate::commands::of_job;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::pretty_json::pretty;
use crate::short_id;
use crate::table;
use crate::terminal::{note, plain, print, stdout_colour};

pub use place::PlaceError;

#[derive(Subcommand, Debug)]
pub enum ArtifactsCommand {
    /// List the files that a job has kept
    List(ListArgs),
    Get(GetArgs),
}

#[derive(Args, Debug)]
pub struct ListArgs {
    /// Id of the job, or a part of its beginning or end
    job: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Fetch files that a job has kept, and check their digests
#[derive(Args, Debug)]
pub struct GetArgs {
    /// Id of the job, or a part of its beginning or end
    job: String,
    /// Which files: a path, or a pattern such as 'target/*.log' or '**/*.xml' [default: all]
    pattern: Option<String>,
    /// Directory to put them in; made when it is missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Overwrite files that are there already
    #[arg(long)]
    force: bool,
}

/// One file, as the server lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Artifact {
    pub path: String,
    pub size: u64,
    pub digest: Digest,
    /// Of its permissions only whether it can be run is taken over.
    #[serde(default)]
    mode: Value,
}

impl Artifact {
    /// Tells whether its owner may run it; the mode is a number, or written in octal.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        let mode = match &self.mode {
            Value::Number(mode) => mode.as_u64(),
            Value::String(mode) => u64::from_str_radix(mode.trim_start_matches("0o"), 8).ok(),
            _ => None,
        };
        mode.is_some_and(|mode| mode & 0o100 != 0)
    }
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, command: ArtifactsCommand) -> Result<u8, Failure> {
    match command {
        ArtifactsCommand::List(args) => list(client, &args).await,
        ArtifactsCommand::Get(args) => get(client, args).await,
    }
}

async fn listed(client: &Client, job: JobId) -> Result<Value, Failure> {
    let url = client.url(&format!("jobs/{job}/artifacts"), &[]);
    let answer = client.answer(Method::GET, &url, None).await.map_err(|error| of_job(job, error))?;
    Ok(parse(&url, &answer.bytes)?)
}

fn read(client: &Client, job: JobId, list: &Value) -> Result<Vec<Artifact>, Failure> {
    let url = client.url(&format!("jobs/{job}/artifacts"), &[]);
    Ok(Vec::<Artifact>::deserialize(list).map_err(|error| unknown_shape(&url, error))?)
}

async fn list(client: &Client, args: &ListArgs) -> Result<u8, Failure> {
    let job = short_id::job(client, &args.job).await?;
    let list = listed(client, job).await?;
    if args.json {
        print(pretty(&list, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let artifacts = read(client, job, &list)?;
    let row = |file: &Artifact| {
        let digest = file.digest.to_string();
        vec![file.path.clone(), file.size.to_string(), if file.is_executable() { "x" } else { "" }.into(), digest]
    };
    print(table::render(&["PATH", "BYTES", "MODE", "SHA256"], artifacts.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

async fn get(client: &Client, args: GetArgs) -> Result<u8, Failure> {
    let job = short_id::job(client, &args.job).await?;
    let pattern = args.pattern.as_deref().map(glob).transpose()?;
    let all = read(client, job, &listed(client, job).await?)?;
    let wanted = |file: &&Artifact| {
        let exact = args.pattern.as_deref() == Some(file.path.as_str());
        exact || pattern.as_ref().is_none_or(|pattern| pattern.is_match(&file.path))
    };
    let wanted: Vec<&Artifact> = all.iter().filter(wanted).collect();
    if wanted.is_empty() {
        let what =
            args.pattern.map_or_else(|| "no artifacts".into(), |pattern| format!("nothing like `{}`", plain(&pattern)));
        note(&format!("error: job {job} has kept {what}; `shunt artifacts list {job}` lists what there is"));
        return Ok(EXIT_ERROR);
    }
    place::check(&wanted, &args.to, args.force)?;
    for file in wanted {
        let at = place::fetch(client, job, file, &args.to).await?;
        print(format!("{}\n", plain(&at.display().to_string())).as_bytes())?;
    }
    Ok(0)
}

fn glob(pattern: &str) -> Result<globset::GlobMatcher, Usage> {
    let bad = |error: globset::Error| Usage::BadPattern { found: plain(pattern), why: error.kind().to_string() };
    Ok(globset::GlobBuilder::new(pattern).literal_separator(true).build().map_err(bad)?.compile_matcher())
}
