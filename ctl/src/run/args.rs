//! The flags of `shunt run`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::tenancy::Name;

use crate::commands::change::act::stage_parser;
use crate::run::all::AllArgs;

/// Run a stage or a phase of a project, or one command, and follow it
///
/// `shunt run --stage verify` submits the project's last commit as a new change and follows the whole stage; with --change
/// it follows the stage of a change that there is, and runs it again when it has ended. Ends with 0 only if the stage has
/// passed, else with 1.
///
/// `shunt run --phase unit` starts one job per row of the phase in the project's config.json; what that does not say
/// to run, the project's project.toml does. `shunt run --filter
/// platform=ubuntu -- uname -a` runs one command on a matching runner; its words reach the command as they are (for
/// pipes and variables use `-- sh -c '…'` or --script).
///
/// `shunt run --all --filter labels=web --canary 1 --batch 10% --max-failures 2 -- uptime` runs it once on every matching
/// runner: one first, then a tenth of them at a time, and no further ones after the third failure. At the end there is a
/// line for each host; `shunt fan-out rerun` repeats it where it has not succeeded.
///
/// Ends with the job's exit code; of several jobs, with the highest. A job that was cancelled, timed out, lost, expired
/// or abandoned counts as at least 1. Ctrl-C cancels what runs and waits for the end (exit code 130); a second one leaves at once.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("what").required(true).args(["stage", "phase", "script", "command"]),
    group = ArgGroup::new("of_a_project").multiple(true).args(["stage", "phase", "with_tree", "dirty", "git", "secret", "secret_file"]),
    override_usage = "shunt run --stage <STAGE> [--project <DIR> | --change <ID>] [OPTIONS]\n       \
                      shunt run --phase <PHASE> [--project <DIR>] [OPTIONS]\n       \
                      shunt run [--filter <KEY=VALUE,…>]… [OPTIONS] -- <COMMAND>…\n       \
                      shunt run [--filter <KEY=VALUE,…>]… [OPTIONS] --script <FILE>\n       \
                      shunt run --all [--filter <KEY=VALUE,…>]… [--canary <N>] [--batch <N|P%>] [OPTIONS] -- <COMMAND>…"
)]
pub struct RunArgs {
    /// Stage to run: verify of a new change, or any of --change
    #[arg(long, value_parser = stage_parser())]
    pub stage: Option<Stage>,
    /// Follow the stage of this change: its id, or a part of its beginning or end
    #[arg(long, value_name = "ID", requires = "stage", conflicts_with_all = ["project", "with_tree", "dirty", "title", "phase", "script", "command"])]
    pub change: Option<String>,
    /// Run only the rows again that failed or were left out
    #[arg(long, requires = "change", conflicts_with_all = ["phase", "script", "command"])]
    pub failed_only: bool,
    /// Organisation of the new change [default: default]
    #[arg(long, value_name = "NAME", requires = "stage", conflicts_with_all = ["change", "phase", "script", "command"])]
    pub org: Option<Name>,
    /// Pipeline of the new change [default: master]
    #[arg(long, value_name = "NAME", requires = "stage", conflicts_with_all = ["change", "phase", "script", "command"])]
    pub pipeline: Option<Name>,
    /// Name of the new change's project [default: the directory's]
    #[arg(long, value_name = "NAME", requires = "stage", conflicts_with_all = ["change", "phase", "script", "command"])]
    pub name: Option<Name>,
    /// Phase of the project to run
    #[arg(long, value_parser = PossibleValuesParser::new(Phase::ALL.iter().map(|p| p.as_str())).try_map(|p| p.parse::<Phase>()))]
    pub phase: Option<Phase>,
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR", requires = "of_a_project")]
    pub project: Option<PathBuf>,
    /// Configuration [default: .shuntyard/config.json, .delivery/config.json or config.json of the project]
    #[arg(long, value_name = "FILE", requires = "phase", conflicts_with_all = ["stage", "script", "command"])]
    pub config: Option<PathBuf>,
    /// Bring the files of the project's last commit along: every job starts in a copy of them. The server keeps them and
    /// sends a runner what it lacks
    #[arg(long)]
    pub with_tree: bool,
    /// As --with-tree, but the files as they are now, also uncommitted and new ones; what .gitignore names stays
    #[arg(long)]
    pub dirty: bool,
    /// Start in a tree that the server has, by its digest
    #[arg(long, value_name = "SHA256", conflicts_with_all = ["stage", "with_tree", "dirty"])]
    pub workspace: Option<Digest>,
    /// Start in a clone that the runner makes by itself, from https://, ssh://, git:// or a path of its own. What opens it
    /// are the project's secrets (shunt secret set). With --phase the configuration is that of the ref, where the
    /// repository in the project's directory knows it; with --stage it must know it
    #[arg(
        long,
        value_name = "URL",
        requires = "reference",
        conflicts_with_all = ["with_tree", "dirty", "workspace", "change"]
    )]
    pub git: Option<String>,
    /// Branch, tag or full commit of --git
    #[arg(long = "ref", value_name = "REF", requires = "git", conflicts_with_all = ["with_tree", "dirty", "workspace", "change"])]
    pub reference: Option<String>,
    /// POSIX shell script to run; - for standard input
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Which runners may take it: os, platform, platform_family, platform_version, arch, hostname (any of the values),
    /// labels, capabilities (all of them)
    #[arg(long, value_name = "KEY=VALUE,…", conflicts_with_all = ["stage", "phase"])]
    pub filter: Vec<String>,
    /// Stop it after this time (90s, 10m, 1h30m)
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["stage", "phase"])]
    pub timeout: Option<String>,
    /// Stop it when it has written nothing for this time
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["stage", "phase"])]
    pub silence_limit: Option<String>,
    /// Give up when it has not started within this time
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["stage", "phase"])]
    pub queue_limit: Option<String>,
    /// Of more output than this, only beginning and end are kept (64KiB to 1TiB, such as 100MB or 2GiB) [default: the
    /// server's]
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["stage", "phase"])]
    pub output_cap: Option<String>,
    /// Let the host stop it when the dispatcher was lost for so long (90, 10m; 0: at once) [default: it goes on]
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["stage", "phase"])]
    pub stop_after_disconnect: Option<String>,
    /// Start it again, up to 5 times in all, when it is proved that its runner lost it; it must stand running twice
    #[arg(long, conflicts_with_all = ["stage", "phase"])]
    pub retry_on_lost: bool,
    /// Keep files of its work directory, by pattern: *, ?, [a-z], ** for any number of directories; a directory with all
    /// that is in it. Kept however the job ends; `shunt artifacts` shows them
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["stage", "phase"])]
    pub artifacts: Vec<String>,
    /// One line that names the job, or the change [default: the command, or the subject of the last commit]
    #[arg(long, conflicts_with = "phase")]
    pub title: Option<String>,
    /// Add to the job's environment
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "stage")]
    pub env: Vec<String>,
    /// Hand the job a secret (shunt secret set) in the variable of its name, or in another one
    #[arg(long, value_name = "NAME[=VARIABLE]", conflicts_with_all = ["stage", "phase"])]
    pub secret: Vec<String>,
    /// Hand the job a secret as the file $SHUNT_SECRETS/NAME, which is removed at its end; VARIABLE holds its path, too
    #[arg(long, value_name = "NAME[=VARIABLE]", conflicts_with_all = ["stage", "phase"])]
    pub secret_file: Vec<String>,
    /// Higher goes first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, conflicts_with = "stage")]
    pub priority: i32,
    /// Let no more than N jobs of the named group run at a time, over all projects (1 unless given); of a phase: instead
    /// of the group that its configuration says
    #[arg(long, value_name = "GROUP[=N]", conflicts_with = "stage")]
    pub concurrency: Option<Concurrency>,
    /// Print the ids, or the new change's, and leave
    #[arg(short, long)]
    pub detach: bool,
    /// Print the finished jobs as JSON; their output goes to standard error. Of a stage: one JSON event a line
    #[arg(long)]
    pub json: bool,
    /// Say nothing beside the jobs' output
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub to_all: AllArgs,
    /// Command and its words
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}
