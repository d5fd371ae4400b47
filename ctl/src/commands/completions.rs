//! `shunt completions`: a completion script for a shell.

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
