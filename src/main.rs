//! Parses, loads the configuration, runs, exits.

// Tests may; nothing that comes from a host, a disk, a network or a person ends a program.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use shuntyard::clock::Clock;
use shuntyard::config::{Config, ConfigSources, FlagOverrides, LogConfig, default_file, process_environment};
use shuntyard::rotation::{self, Until};
use shuntyard::{backup, check, daemon, showcase, telemetry};
use tokio_util::sync::CancellationToken;

/// As the systemd unit has it.
const OPEN_FILES: u64 = 65_536;

/// The dispatcher of Shuntyard: pushes phase jobs to runners over SSH.
#[derive(Parser)]
#[command(
    name = "shuntd",
    version,
    about,
    after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage or configuration."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the dispatcher until SIGINT or SIGTERM.
    Serve(ConfigArgs),
    /// Show everything on this machine alone: three embedded SSH hosts, the real bootstrap, one project.
    Demo {
        /// Keep the server and the hosts running until Ctrl-C.
        #[arg(long)]
        stay: bool,
        /// Where the demo keeps its files; the default is a fresh directory that is removed at the end.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check the configuration, the data directory and the database, and print the configuration as it would be used.
    ///
    /// Changes nothing, and may run beside a dispatcher. All faults are told at once, each with what to do.
    Check {
        #[command(flatten)]
        config: ConfigArgs,
        /// Look at the configuration only.
        #[arg(long)]
        config_only: bool,
        /// One JSON object with all findings, on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Back up database, logs, workspaces and artifacts into one file, also while the dispatcher runs.
    ///
    /// master.key, dial-out.key and tls.key are not in it: keep copies of them apart. Without master.key nobody opens the
    /// runners' keys of a backup. With PostgreSQL pg_dump backs up the database, before this.
    Backup {
        /// A new file, or a directory for one that is named after the time.
        #[arg(value_name = "FILE|DIR")]
        to: PathBuf,
        #[command(flatten)]
        config: ConfigArgs,
        /// Put master.key, dial-out.key, tls.key and tls.crt in it too: who has the backup then has all runners.
        #[arg(long)]
        with_master_key: bool,
        /// Leave out the database, which pg_dump has backed up before.
        #[arg(long)]
        files_only: bool,
    },
    /// Restore a backup into an empty directory; its queue starts paused until runners were asked what they have.
    Restore {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The new data directory.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Write manual pages into a directory.
    #[command(hide = true)]
    Man {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Seal keys and secrets anew under another master key. The daemon must be stopped; after a crash run it again.
    RotateMasterKey {
        /// The new key: 32 random bytes in a file of mode 0400. Needed where the key is not kept in the data directory.
        #[arg(long, value_name = "FILE")]
        new_key: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the fingerprint of the API's certificate, which `shunt login` asks people to compare.
    Fingerprint(ConfigArgs),
}

#[derive(clap::Args)]
struct ConfigArgs {
    /// The configuration file; without it $SHUNTD_CONFIG, else the first of $XDG_CONFIG_HOME/shuntyard,
    /// ~/.config/shuntyard and /etc/shuntyard that holds a shuntd.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: FlagOverrides,
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Serve(args) => {
            let Some((config, _)) = load(args) else { return Ok(ExitCode::from(2)) };
            start_log(config.log)?;
            raise_open_files();
            forbid_dumps();
            runtime.block_on(daemon::serve(&config, CancellationToken::new()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { config, config_only, json } => Ok(check(config, config_only, json)),
        Command::Backup { to, config, with_master_key, files_only } => {
            let Some((config, _)) = load(config) else { return Ok(ExitCode::from(2)) };
            let what = backup::What { keys: with_master_key, files_only };
            let made = backup::make(&config, &std::path::absolute(to)?, what, Clock::system().now_ms())?;
            print(&backup::told(&made));
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore { file, to } => {
            let to = std::path::absolute(to)?;
            let restored = backup::restore(&file, &to, Clock::system().now_ms())?;
            print(&backup::told_restored(&restored, &to));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "shuntd", &mut script);
            let _ = std::io::stdout().write_all(&script);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir } => {
            clap_mangen::generate_to(Args::command(), &dir)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::RotateMasterKey { new_key, config } => {
            let Some((config, _)) = load(config) else { return Ok(ExitCode::from(2)) };
            let rotated = runtime.block_on(rotation::rotate_master_key(&config, new_key.as_deref(), Until::Done))?;
            println!("{rotated}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Fingerprint(args) => {
            let Some((config, _)) = load(args) else { return Ok(ExitCode::from(2)) };
            print_fingerprint(&config)
        }
        Command::Demo { stay, dir } => {
            let chosen = dir.is_some();
            let dir =
                dir.unwrap_or_else(|| std::env::temp_dir().join(format!("shuntyard-demo-{}", std::process::id())));
            let shown = runtime.block_on(showcase::run(&dir, stay));
            if !chosen {
                // Only what this demo made itself; a leftover is no failure of it.
                let _ = std::fs::remove_dir_all(&dir);
            }
            Ok(if shown? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// A reader that has seen enough is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Looks at what a start would find; 2 when something is wrong.
fn check(args: ConfigArgs, config_only: bool, json: bool) -> ExitCode {
    let file = args.config.or_else(|| default_file(process_environment()));
    let sources = ConfigSources { file: file.clone(), env: process_environment(), flags: args.flags };
    let (config, faults) = Config::read_all(sources);
    let places = [("data", "dir"), ("store", "url")];
    // Of a directory that nobody meant nothing is to be told.
    let is_known = faults.as_ref().is_none_or(|faults| {
        !faults.0.iter().any(|fault| places.iter().any(|(section, key)| fault.is_about(section, key)))
    });
    let findings = if config_only || !is_known { Vec::new() } else { check::check(&config) };
    let report = check::Report { config: &config, file: file.as_deref(), faults: faults.as_ref(), findings: &findings };
    // A reader that has seen enough is no failure.
    if json {
        let _ = writeln!(std::io::stdout(), "{:#}", report.json());
    } else {
        let (good, bad) = report.texts();
        let _ = std::io::stdout().write_all(good.as_bytes());
        let _ = std::io::stderr().write_all(bad.as_bytes());
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// A certificate of the daemon's own is made when it is not there yet, so that it can be told before the first start.
fn print_fingerprint(config: &Config) -> anyhow::Result<ExitCode> {
    config.paths().create().context("see [data] dir")?;
    let Some((files, certificate)) = daemon::certificate(config, Clock::system().now_ms()).context("see [tls]")? else {
        eprintln!("the API speaks plain HTTP on {}: there is no certificate ([tls] mode)", config.server.listen);
        return Ok(ExitCode::FAILURE);
    };
    eprintln!("{}", files.cert_file.display());
    writeln!(std::io::stdout(), "{}", certificate.fingerprint)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes more open files than the 1,024 that a login has: each runner's connection is one, each client of the API another.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it is refused, what there is must do; a connection too many is then an error of its own.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

/// A crash leaves no image of the memory, in which keys are; nor may other processes of the same user read it.
fn forbid_dumps() {
    // Whoever wants dumps of the local runner's jobs, which inherit it, may raise it there.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum });
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "a crash of this process may leave an image of its memory");
    }
}

fn start_log(log: LogConfig) -> anyhow::Result<()> {
    let rust_log = std::env::var("RUST_LOG").ok();
    Ok(telemetry::start(log, rust_log.as_deref(), std::env::var_os("NO_COLOR").is_some())?)
}

/// Returns the configuration and the file that was read, or prints every fault.
fn load(args: ConfigArgs) -> Option<(Config, Option<PathBuf>)> {
    let file = args.config.or_else(|| default_file(process_environment()));
    match Config::load(ConfigSources { file: file.clone(), env: process_environment(), flags: args.flags }) {
        Ok(config) => Some((config, file)),
        Err(faults) => {
            eprintln!("{faults}");
            None
        }
    }
}
