//! `shunt completions`: a completion script for a shell; and the manual pages, for packages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::terminal::print;

/// Print a completion script for a shell
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    shell: Shell,
}

/// # Errors
/// `Failure::Output`
pub fn run(args: &CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::Args::command(), "shunt", &mut script);
    print(&script)?;
    Ok(0)
}

/// Write manual pages into a directory
#[derive(Args, Debug)]
pub struct ManArgs {
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Writes a page for each command.
///
/// # Errors
/// `Failure::Output`
pub fn man(args: &ManArgs) -> Result<u8, Failure> {
    clap_mangen::generate_to(crate::args::Args::command(), &args.dir).map_err(Failure::Output)?;
    Ok(0)
}
