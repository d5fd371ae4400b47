//! `shunt run`: a phase of a project, or one command; followed live to its end.

pub mod all;
mod args;
mod clone;
pub mod filter_arg;
pub mod follower;
pub mod interrupts;
pub mod names;
pub mod prefix;
pub mod request;
pub mod result;
mod shell_words;
pub mod size_arg;
mod stage;
pub mod streams;
pub mod view;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::api::{JobBody, PhaseRunBody};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::jobs::how_it_went;
use crate::failure::{EXIT_INTERRUPTED, EXIT_USAGE, Failure};
use crate::pretty_json::pretty;
use crate::run::interrupts::{interrupts, unless_left};
use crate::run::request::Request;
use crate::run::view::View;
use crate::run::watch::{Watch, Watched};
use crate::terminal::{note, print, stderr_colour, stdout_colour};
use crate::workspace::{self, Tree};

pub use args::RunArgs;

/// How to report.
pub struct Flags {
    pub detach: bool,
    pub json: bool,
    pub quiet: bool,
}

/// Whose files are to be brought along.
struct TreeWanted {
    dir: PathBuf,
    dirty: bool,
}

impl TreeWanted {
    fn of(args: &RunArgs) -> Option<Self> {
        let dir = args.project.clone().unwrap_or_else(|| ".".into());
        (args.with_tree || args.dirty).then_some(Self { dir, dirty: args.dirty })
    }

    async fn bring(self, client: &Client, quiet: bool) -> Result<Digest, Failure> {
        let tree = Tree::of(&self.dir, self.dirty)?;
        workspace::upload(client, &Arc::new(tree), quiet).await
    }
}

/// What the server accepted.
struct Submitted {
    jobs: Vec<JobBody>,
    /// An ad-hoc job, not a matrix that happens to have one row.
    single: bool,
}

/// Submits, follows, and returns the exit code.
///
/// # Errors
/// `Failure`; a failing job is an exit code, not a failure.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: RunArgs) -> Result<u8, Failure> {
    if let Some(stage) = args.stage {
        return stage::run(connect, args, stage).await;
    }
    let flags = Flags { detach: args.detach, json: args.json, quiet: args.quiet };
    let (tree, to_all) = (TreeWanted::of(&args), args.to_all);
    let mut request = request::resolve(args)?;
    if matches!(request, Request::FaultyConfig) {
        return Ok(EXIT_USAGE);
    }
    let client = connect()?;
    if let Some(tree) = tree {
        // Ctrl-C ends it: nothing is submitted yet.
        request.start_in(tree.bring(&client, flags.quiet).await?);
    }
    let request = match request {
        Request::AdHoc(job) if to_all.all => return all::run(&client, *job, to_all, &flags).await,
        request => request,
    };
    if flags.detach {
        return print_ids(&submit(&client, &request).await?, flags.json);
    }
    let mut interrupts = interrupts()?;
    let Some((submitted, interrupted)) = unless_left(submit(&client, &request), &mut interrupts).await? else {
        note("left before the server answered: `shunt jobs` shows what it has accepted");
        return Ok(EXIT_INTERRUPTED);
    };
    if submitted.jobs.is_empty() && !flags.json {
        note("the configuration skips this phase: nothing to run");
        return Ok(0);
    }
    let Submitted { jobs, single } = submitted;
    let names = names::names(&jobs);
    let view = View::new(&names, flags.json, flags.quiet);
    match Watch::new(&client, &jobs, view).run(interrupts, interrupted).await {
        Ok(Watched::Ended { jobs, interrupted }) => finish(&names, &jobs, single, interrupted, &flags),
        Ok(Watched::Left) => Ok(EXIT_INTERRUPTED),
        Err(failure) => {
            for job in &jobs {
                note(&format!("job {0} goes on without this command: shunt logs -f {0}", job.id));
            }
            Err(failure)
        }
    }
}

async fn submit(client: &Client, request: &Request) -> Result<Submitted, ClientError> {
    let (jobs, single) = match request {
        Request::Phase(body) => (client.create::<PhaseRunBody>("phase_runs", body).await?.jobs, false),
        Request::AdHoc(body) => (vec![client.create("jobs", body).await?], true),
        Request::FaultyConfig => (Vec::new(), false),
    };
    Ok(Submitted { jobs, single })
}

fn print_ids(submitted: &Submitted, as_json: bool) -> Result<u8, Failure> {
    if as_json {
        print_bodies(&submitted.jobs, submitted.single)?;
    } else {
        let ids: String = submitted.jobs.iter().map(|job| format!("{}\n", job.id)).collect();
        print(ids.as_bytes())?;
    }
    Ok(0)
}

/// One object for an ad-hoc job, an array for a phase.
fn print_bodies(jobs: &[JobBody], single: bool) -> Result<(), Failure> {
    let value = match jobs {
        [job] if single => json!(job),
        jobs => json!(jobs),
    };
    print(pretty(&value, stdout_colour()).as_bytes())
}

fn finish(names: &[String], ended: &[JobBody], single: bool, interrupted: bool, flags: &Flags) -> Result<u8, Failure> {
    let colour = stderr_colour();
    if flags.json {
        print_bodies(ended, single)?;
    } else if !flags.quiet {
        match ended {
            [job] => {
                note(&result::line(job, colour));
                for line in how_it_went(job).lines() {
                    note(&format!("  {line}"));
                }
            }
            jobs => note(result::summary(names, jobs).trim_end()),
        }
    }
    let worst = result::worst(ended);
    Ok(if interrupted && worst != 0 { EXIT_INTERRUPTED } else { worst })
}
