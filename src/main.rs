//! Parses, loads the configuration, runs, exits.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shuntyard::config::{Config, ConfigSources, FlagOverrides};
use shuntyard::{daemon, showcase, telemetry};
use tokio_util::sync::CancellationToken;

/// The dispatcher of Shuntyard: pushes phase jobs to runners over SSH.
#[derive(Parser)]
#[command(version, about, after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.")]
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
    /// Check the configuration and print it as it would be used.
    Check(ConfigArgs),
}

#[derive(clap::Args)]
struct ConfigArgs {
    /// The configuration file; without it, the defaults.
    #[arg(long, value_name = "FILE", env = "SHUNTD_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen, over [server] listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The data directory, over [data] dir.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, over [store] url.
    #[arg(long, value_name = "URL")]
    store_url: Option<String>,
    /// What is logged, over [log] level: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
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
            let Some(config) = load(args) else { return Ok(ExitCode::from(2)) };
            telemetry::init(&config.log)?;
            runtime.block_on(daemon::serve(&config, CancellationToken::new()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(args) => {
            let Some(config) = load(args) else { return Ok(ExitCode::from(2)) };
            println!("{}", config.to_toml());
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo { stay, dir } => {
            let chosen = dir.is_some();
            let dir = dir.unwrap_or_else(|| std::env::temp_dir().join(format!("shuntyard-demo-{}", std::process::id())));
            let shown = runtime.block_on(showcase::run(&dir, stay));
            if !chosen {
                // Only what this demo made itself; a leftover is no failure of it.
                let _ = std::fs::remove_dir_all(&dir);
            }
            Ok(if shown? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Prints every fault of the configuration.
fn load(args: ConfigArgs) -> Option<Config> {
    let sources = ConfigSources {
        file: args.config,
        env: std::env::vars().collect(),
        flags: FlagOverrides {
            listen: args.listen,
            data_dir: args.data_dir,
            store_url: args.store_url,
            log_level: args.log_level,
        },
    };
    match Config::load(sources) {
        Ok(config) => Some(config),
        Err(faults) => {
            for fault in faults {
                eprintln!("error: {fault}");
            }
            None
        }
    }
}
