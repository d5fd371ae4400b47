//! `shunt run`: a phase of a project, or one command; followed live to its end.

mod filter_arg;
pub mod follower;
mod names;
mod prefix;
pub mod request;
mod result;
mod shell_words;
mod size_arg;
mod streams;
mod view;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use serde_json::json;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::wire::api::{JobBody, PhaseRunBody};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::jobs::how_it_went;
use crate::failure::{EXIT_INTERRUPTED, EXIT_USAGE, Failure};
use crate::pretty_json::pretty;
use crate::run::request::Request;
use crate::run::view::View;
use crate::run::watch::{Watch, Watched};
use crate::terminal::{note, print, stderr_colour, stdout_colour};
use crate::workspace::{self, Tree};

/// Run a phase of a project, or one command, and follow it
///
/// `shunt run --phase unit` starts one job per row of the phase in the project's config.json. `shunt run --filter
/// platform=ubuntu -- uname -a` runs one command on a matching runner; its words reach the command as they are (for
/// pipes and variables use `-- sh -c '…'` or --script).
///
/// Ends with the job's exit code; of several jobs, with the highest. A job that was cancelled, timed out, lost, expired
/// or abandoned counts as at least 1. Ctrl-C cancels and waits for the end (exit code 130); a second one leaves at once.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("what").required(true).args(["phase", "script", "command"]),
    group = ArgGroup::new("of_a_project").multiple(true).args(["phase", "with_tree", "dirty"]),
    override_usage = "shunt run --phase <PHASE> [--project <DIR>] [OPTIONS]\n       \
                      shunt run [--filter <KEY=VALUE,…>]… [OPTIONS] -- <COMMAND>…\n       \
                      shunt run [--filter <KEY=VALUE,…>]… [OPTIONS] --script <FILE>"
)]
pub struct RunArgs {
    /// Phase of the project to run
    #[arg(long, value_parser = PossibleValuesParser::new(Phase::ALL.iter().map(|p| p.as_str())).try_map(|p| p.parse::<Phase>()))]
    phase: Option<Phase>,
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR", requires = "of_a_project")]
    project: Option<PathBuf>,
    /// Configuration [default: .shuntyard/config.json, .delivery/config.json or config.json of the project]
    #[arg(long, value_name = "FILE", requires = "phase", conflicts_with_all = ["script", "command"])]
    config: Option<PathBuf>,
    /// Bring the files of the project's last commit along: every job starts in a copy of them. The server keeps them and
    /// sends a runner what it lacks
    #[arg(long)]
    with_tree: bool,
    /// As --with-tree, but the files as they are now, also uncommitted and new ones; what .gitignore names stays
    #[arg(long)]
    dirty: bool,
    /// Start in a tree that the server has, by its digest
    #[arg(long, value_name = "SHA256", conflicts_with_all = ["with_tree", "dirty"])]
    workspace: Option<Digest>,
    /// POSIX shell script to run; - for standard input
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Which runners may take it: os, platform, platform_family, platform_version, arch, hostname (any of the values),
    /// labels, capabilities (all of them)
    #[arg(long, value_name = "KEY=VALUE,…", conflicts_with = "phase")]
    filter: Vec<String>,
    /// Stop it after this time (90s, 10m, 1h30m)
    #[arg(long, value_name = "DURATION", conflicts_with = "phase")]
    timeout: Option<String>,
    /// Stop it when it has written nothing for this time
    #[arg(long, value_name = "DURATION", conflicts_with = "phase")]
    silence_limit: Option<String>,
    /// Give up when it has not started within this time
    #[arg(long, value_name = "DURATION", conflicts_with = "phase")]
    queue_limit: Option<String>,
    /// Of more output than this, only beginning and end are kept (64KiB to 1TiB, such as 100MB or 2GiB) [default: the
    /// server's]
    #[arg(long, value_name = "SIZE", conflicts_with = "phase")]
    output_cap: Option<String>,
    /// Let the host stop it when the dispatcher was lost for so long (90, 10m; 0: at once) [default: it goes on]
    #[arg(long, value_name = "SECONDS", conflicts_with = "phase")]
    stop_after_disconnect: Option<String>,
    /// Start it again, up to 5 times in all, when it is proved that its runner lost it; it must stand running twice
    #[arg(long, conflicts_with = "phase")]
    retry_on_lost: bool,
    /// One line that names the job
    #[arg(long, conflicts_with = "phase")]
    title: Option<String>,
    /// Add to the job's environment
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// Higher goes first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Let no more than N jobs of the named group run at a time, over all projects (1 unless given); of a phase: instead
    /// of the group that its configuration says
    #[arg(long, value_name = "GROUP[=N]")]
    concurrency: Option<Concurrency>,
    /// Print the ids and leave
    #[arg(short, long)]
    detach: bool,
    /// Print the finished jobs as JSON; their output goes to standard error
    #[arg(long)]
    json: bool,
    /// Say nothing beside the jobs' output
    #[arg(short, long)]
    quiet: bool,
    /// Command and its words
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How to report.
struct Flags {
    detach: bool,
    json: bool,
    quiet: bool,
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
    /// Ctrl-C came before the answer.
    interrupted: bool,
}

/// Submits, follows, and returns the exit code.
///
/// # Errors
/// `Failure`; a failing job is an exit code, not a failure.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: RunArgs) -> Result<u8, Failure> {
    let flags = Flags { detach: args.detach, json: args.json, quiet: args.quiet };
    let tree = TreeWanted::of(&args);
    let mut request = request::resolve(args)?;
    if matches!(request, Request::FaultyConfig) {
        return Ok(EXIT_USAGE);
    }
    let client = connect()?;
    if let Some(tree) = tree {
        // Ctrl-C ends it: nothing is submitted yet.
        request.start_in(tree.bring(&client, flags.quiet).await?);
    }
    if flags.detach {
        return print_ids(&submit(&client, &request).await?, flags.json);
    }
    let mut interrupts = interrupts()?;
    let Some(submitted) = submit_unless_left(&client, &request, &mut interrupts).await? else {
        note("left before the server answered: `shunt jobs` shows what it has accepted");
        return Ok(EXIT_INTERRUPTED);
    };
    if submitted.jobs.is_empty() && !flags.json {
        note("the configuration skips this phase: nothing to run");
        return Ok(0);
    }
    let Submitted { jobs, single, interrupted } = submitted;
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
        Request::Phase(body) => (client.post::<PhaseRunBody>("phase_runs", body).await?.jobs, false),
        Request::AdHoc(body) => (vec![client.post("jobs", body).await?], true),
        Request::FaultyConfig => (Vec::new(), false),
    };
    Ok(Submitted { jobs, single, interrupted: false })
}

/// The first Ctrl-C waits for the ids, so that there is something to cancel; a second one does not wait.
async fn submit_unless_left(
    client: &Client,
    request: &Request,
    interrupts: &mut UnboundedReceiver<()>,
) -> Result<Option<Submitted>, Failure> {
    let submitting = submit(client, request);
    tokio::pin!(submitting);
    let mut interrupted = false;
    loop {
        tokio::select! {
            submitted = &mut submitting => return Ok(Some(Submitted { interrupted, ..submitted? })),
            Some(()) = interrupts.recv() => {
                if std::mem::replace(&mut interrupted, true) {
                    return Ok(None);
                }
                note("cancelling as soon as the server has answered; Ctrl-C again to leave at once");
            }
        }
    }
}

/// One message per Ctrl-C, SIGTERM or SIGHUP.
fn interrupts() -> Result<UnboundedReceiver<()>, Failure> {
    let (sender, receiver) = unbounded_channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })
    .map_err(Failure::Interrupt)?;
    Ok(receiver)
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
